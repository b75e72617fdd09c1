//! Parts of the pipeline as processes, for tests that are not to depend on which binaries were built.
//! They run until they are killed.

use std::future::pending;

use fairlead_logd::Logd;
use fairlead_shipper::Shipper;
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

use crate::BenchError;

type Error = Box<dyn std::error::Error>;

pub(crate) fn shipper(flags: fairlead_shipper::Flags) -> Result<(), BenchError> {
    tell(flags.log());
    run(async {
        let client = match flags.asks_api() {
            true => Some(kube::Client::try_default().await?),
            false => None,
        };
        let _shipper = Shipper::start(flags.options(None)?, client)?;
        pending().await
    })
}

pub(crate) fn logd(flags: fairlead_logd::Flags) -> Result<(), BenchError> {
    tell(flags.log());
    run(async {
        let _logd = Logd::start(flags.options(None)?)?;
        pending().await
    })
}

fn tell(filter: &str) {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
}

fn run(part: impl Future<Output = Result<(), Error>>) -> Result<(), BenchError> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(part).map_err(|error| BenchError::Role(error.to_string()))
}
