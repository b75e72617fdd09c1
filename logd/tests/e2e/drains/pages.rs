//! What the documentation tells to apply.

use std::{fs, path::Path};

use fairlead_cluster::{WriteOptions, kinds};
use serde_json::{Value, json};

use crate::support::{Api, Certificates, Client};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/drains");

/// The Secrets on a page.
fn secrets(page: &Path) -> Vec<Value> {
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|block| block.split("```").next().unwrap());
    let objects = blocks.flat_map(|block| block.split("\n---\n"));
    let objects = objects.map(|object| serde_saphyr::from_str::<Value>(object).unwrap());
    // Others say which keys a Secret may have beside these.
    objects.filter(|object| object["kind"] == "Secret").collect()
}

/// Each page's Secret is a drain as it stands there, but for the certificates that it leaves out.
#[tokio::test]
async fn every_page_s_secret_is_a_drain() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Certificates::new(folder.path()).authority;
    let certificate = fs::read_to_string(authority).unwrap();
    let api = Api::start().await;
    let mut declared = Vec::new();
    let pages = fs::read_dir(PAGES).unwrap().map(|entry| entry.unwrap().path());
    for page in pages {
        let name = page.file_stem().unwrap().to_str().unwrap().to_owned();
        let secrets = secrets(&page);
        // One of them is of what several have in common.
        assert_eq!(secrets.is_empty(), name == "http", "{name}");
        for (number, mut secret) in secrets.into_iter().enumerate() {
            let data = secret["stringData"].as_object_mut().unwrap();
            if let Some(text) = data.get_mut("ca.crt") {
                let left_out = "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n";
                assert_eq!(text, left_out);
                *text = json!(certificate);
            }
            let namespace = secret["metadata"]["namespace"].as_str().unwrap().to_owned();
            let id = format!("{name}-{number}").to_lowercase();
            secret["metadata"]["name"] = json!(id);
            let by = WriteOptions::by("test");
            let registry = api.cluster.registry();
            registry.create(&kinds::SECRET, Some(&namespace), secret, &by).unwrap();
            declared.push(format!("{namespace}/{id}"));
        }
    }
    let logd = api.logd(|_| {}).await;
    let known = |answer: &crate::support::Answer| answer.json()["complete"] == true;
    let all = Client::of(&logd).until("/drains", known).await.json();
    assert_eq!(all["refused"], json!([]));
    let drains = all["drains"].as_array().unwrap();
    let mut ids: Vec<&str> = drains.iter().map(|drain| drain["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    declared.sort_unstable();
    assert_eq!(ids, declared);
}
