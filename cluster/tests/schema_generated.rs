//! The committed schema is what the script makes of the published schemas.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;

#[test]
fn the_committed_schema_is_made_again_from_the_published_ones() {
    let test = "the_committed_schema_is_made_again_from_the_published_ones";
    let Some(wheel) = fairlead_test_support::peer(test, "kubernetes-validate.whl") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let made = tempfile::tempdir().unwrap();
    let made = made.path().join("made.json.gz");

    let status = Command::new("python3")
        .arg(folder.join("generate.py"))
        .args([&wheel, &made])
        .status()
        .unwrap();

    assert!(status.success());
    // Not the compressed bytes: those depend on the version of zlib.
    let (made, committed) = (unpacked(&made), unpacked(&folder.join("kubernetes.json.gz")));
    assert!(made == committed, "{} bytes made, {} committed", made.len(), committed.len());
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}
