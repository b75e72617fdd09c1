//! `fairlead-router wait`: until every ready replica serves what was written.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::ListParams};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// Between two looks at the replicas.
const PAUSE: Duration = Duration::from_millis(200);
/// For one replica to say what it serves.
const ANSWER: Duration = Duration::from_secs(2);

/// Which replicas to wait for, and for what.
#[derive(Debug, clap::Args)]
pub struct WaitFlags {
    /// The resourceVersion that every replica must have in effect
    #[arg(long, value_name = "R")]
    revision: u64,

    /// The kind of the object that was written with it: kinds are watched apart, and one may be ahead
    /// of another. Of ConfigMaps, and of any kind with several --namespaces, several watches are one
    /// kind, and the fastest counts
    #[arg(long, default_value = "Service", value_name = "KIND", value_parser = [
        "Service", "EndpointSlice", "Secret", "ConfigMap", "Deployment", "DaemonSet", "StatefulSet", "Pod",
    ], ignore_case = true)]
    kind: String,

    /// Label selector of the router's pods, such as app=fairlead-router
    #[arg(long, value_name = "SELECTOR")]
    selector: String,

    /// Their namespace [default: that of the kubeconfig or the service account]
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,

    /// Port of /status where a pod declares no port named admin
    #[arg(long, default_value = "9090", value_name = "PORT")]
    admin_port: u16,

    /// When to give up
    #[arg(long, default_value = "60s", value_parser = crate::flags::duration, value_name = "DURATION")]
    timeout: Duration,
}

/// Returns once every ready replica reports `revision` or more, and there is one.
///
/// # Errors
/// At the deadline, with the names of those that do not and what they report.
pub async fn wait(flags: WaitFlags, client: Client) -> Result<(), String> {
    let pods: Api<Pod> = match &flags.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::default_namespaced(client),
    };
    let deadline = Instant::now() + flags.timeout;
    let selected = ListParams::default().labels(&flags.selector);
    loop {
        let behind = match pods.list(&selected).await {
            Ok(pods) => laggards(&pods.items, flags.admin_port, &flags.kind, flags.revision).await,
            Err(error) => vec![format!("pods cannot be listed: {error}")],
        };
        if behind.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let WaitFlags { kind, revision, .. } = flags;
            let behind = behind.join("; ");
            return Err(format!(
                "{kind} revision {revision} is not in effect everywhere: {behind}"
            ));
        }
        sleep(PAUSE).await;
    }
}

/// Which of `pods` are ready and report less than `revision` for objects of `kind`, or nothing; also
/// says when none is ready.
pub async fn laggards(pods: &[Pod], admin_port: u16, kind: &str, revision: u64) -> Vec<String> {
    let mut ready = 0;
    let mut behind = Vec::new();
    for pod in pods.iter().filter(|pod| is_ready(pod)) {
        ready += 1;
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        match timeout(ANSWER, reported(pod, admin_port, kind)).await {
            Ok(Ok(reported)) if reported >= revision => {}
            Ok(Ok(reported)) => behind.push(format!("{name} serves {kind} {reported}")),
            Ok(Err(error)) => behind.push(format!("{name}: {error}")),
            Err(_) => behind.push(format!("{name} does not answer")),
        }
    }
    if ready == 0 {
        behind.push("no replica is ready".to_owned());
    }
    behind
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True")
}

/// The revision of `kind` that the `/status` of `pod` reports.
async fn reported(
    pod: &Pod,
    port: u16,
    kind: &str,
) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let address: IpAddr = address.ok_or("it has no address")?.parse()?;
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let named = containers
        .flat_map(|container| container.ports.iter().flatten())
        .find(|port| port.name.as_deref() == Some("admin"));
    let port = named.map_or(Ok(port), |named| u16::try_from(named.container_port))?;
    let stream = TcpStream::connect((address, port)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/status").header("host", address.to_string());
    let request = request.body(Empty::<Bytes>::new())?;
    // Ends with the request; what goes wrong is told by it.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?.collect().await?;
    let status: serde_json::Value = serde_json::from_slice(&answer.to_bytes())?;
    let revisions = status["revisions"].as_object().ok_or("its /status has no revisions")?;
    let of_kind = revisions.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind));
    let revision = of_kind.and_then(|(_, revision)| revision.as_u64());
    Ok(revision.ok_or_else(|| format!("it does not watch {kind}"))?)
}
