//! Following the node's pods: list, watch, and list again when the watch breaks.

use std::collections::HashSet;
use std::pin::pin;

use futures::StreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use tokio::sync::mpsc;

use super::meta::{Pod, PodMeta};
use crate::backoff::Backoff;
use crate::path::PodPath;

/// Pods of one answer, so that a list takes little memory.
const PAGE: u32 = 50;

/// What was seen.
#[derive(Debug)]
pub(crate) enum PodEvent {
    /// A pod as it is now.
    There(PodMeta),
    /// The pod with this directory is gone.
    Gone(PodPath),
    /// These are all there are.
    Listed(HashSet<PodPath>),
}

/// Follows the pods of `node`, or all where it is empty, until nobody listens.
pub(crate) async fn watch(client: Client, node: String, out: mpsc::Sender<PodEvent>) {
    let api: Api<Pod> = Api::all(client);
    let mut config = watcher::Config::default().page_size(PAGE);
    if !node.is_empty() {
        config = config.fields(&format!("spec.nodeName={node}"));
    }
    let mut backoff = Backoff::default();
    let mut told = false;
    loop {
        let mut events = pin!(watcher::watcher(api.clone(), config.clone()));
        let mut listed = HashSet::new();
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "the node's pods are not known");
                        told = true;
                    }
                    break;
                }
            };
            let seen = match event {
                Event::Init => {
                    listed.clear();
                    continue;
                }
                Event::InitApply(pod) | Event::Apply(pod) => {
                    let Some(meta) = PodMeta::of(pod) else { continue };
                    listed.insert(meta.path.clone());
                    PodEvent::There(meta)
                }
                Event::Delete(pod) => match PodMeta::of(pod) {
                    Some(meta) => PodEvent::Gone(meta.path),
                    None => continue,
                },
                Event::InitDone => {
                    backoff.reset();
                    told = false;
                    PodEvent::Listed(std::mem::take(&mut listed))
                }
            };
            if out.send(seen).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(backoff.next()).await;
    }
}
