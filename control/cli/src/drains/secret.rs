//! The Secret of a drain.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use fairlead_drain::target::Target;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Config, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    args::{AddArgs, ClusterArgs, RemoveArgs},
    error::DrainsError,
};
use crate::{logs::LogsError, up};

/// Says that a Secret is a drain.
const LABEL: (&str, &str) = ("fairlead.dev/drain", "true");
/// Whose fields these are.
const MANAGER: &str = "fairlead-drains";

/// Declares a drain, or changes it.
pub(super) async fn add(args: &AddArgs, namespace: &str, name: &str) -> Result<(), DrainsError> {
    let mut url = args.url.clone();
    if url == "-" {
        url.clear();
        std::io::stdin().read_to_string(&mut url).map_err(LogsError::System)?;
    }
    let url = url.trim();
    Target::parse(url)?;
    let mut data = BTreeMap::from([("url".to_owned(), ByteString(url.into()))]);
    for (key, value) in [("app", &args.app), ("filter", &args.filter)] {
        if let Some(value) = value {
            data.insert(key.to_owned(), ByteString(value.clone().into_bytes()));
        }
    }
    let files = [
        ("token", &args.token),
        ("ca.crt", &args.ca),
        ("tls.crt", &args.cert),
        ("tls.key", &args.key),
    ];
    for (key, path) in files {
        if let Some(path) = path {
            data.insert(key.to_owned(), ByteString(read(path)?));
        }
    }
    let mut secret = Secret { data: Some(data), ..Secret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret.labels_mut().insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    let secrets = secrets(&args.cluster, namespace).await?;
    // What is something else is not made a drain.
    known(&secrets, namespace, name).await?;
    let params = PatchParams::apply(MANAGER).force();
    let applied = secrets.patch(name, &params, &Patch::Apply(&secret)).await;
    applied.map(drop).map_err(failed(namespace, name))
}

/// Deletes a drain.
pub(super) async fn remove(
    args: &RemoveArgs,
    namespace: &str,
    name: &str,
) -> Result<(), DrainsError> {
    let secrets = secrets(&args.cluster, namespace).await?;
    if !known(&secrets, namespace, name).await? {
        return Err(DrainsError::Unknown(format!("{namespace}/{name}")));
    }
    let deleted = secrets.delete(name, &DeleteParams::default()).await;
    deleted.map(drop).map_err(failed(namespace, name))
}

/// Whether there is such a drain.
async fn known(secrets: &Api<Secret>, namespace: &str, name: &str) -> Result<bool, DrainsError> {
    let Some(secret) = secrets.get_opt(name).await.map_err(failed(namespace, name))? else {
        return Ok(false);
    };
    let is_drain = secret.labels().get(LABEL.0).is_some_and(|value| value == LABEL.1);
    if is_drain { Ok(true) } else { Err(DrainsError::NoDrain(format!("{namespace}/{name}"))) }
}

async fn secrets(args: &ClusterArgs, namespace: &str) -> Result<Api<Secret>, DrainsError> {
    let cluster = |error: &dyn std::fmt::Display| DrainsError::Cluster(error.to_string());
    let of_up = || {
        let folder = args.state_dir.clone().map_or_else(up::default_state, Ok).ok()?;
        Some(folder.join("kubeconfig")).filter(|path| path.exists())
    };
    let config = match args.kubeconfig.clone().or_else(of_up) {
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| cluster(&error))?;
            let options = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &options).await.map_err(|error| cluster(&error))?
        }
        None => Config::infer().await.map_err(|error| cluster(&error))?,
    };
    let client = Client::try_from(config).map_err(|error| cluster(&error))?;
    Ok(Api::namespaced(client, namespace))
}

fn read(path: &Path) -> Result<Vec<u8>, DrainsError> {
    std::fs::read(path).map_err(|source| DrainsError::File { path: path.to_owned(), source })
}

fn failed(namespace: &str, name: &str) -> impl Fn(kube::Error) -> DrainsError {
    let secret = format!("{namespace}/{name}");
    move |source| DrainsError::Secret { secret: secret.clone(), source: source.into() }
}
