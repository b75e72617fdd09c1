//! Volumes: directories under the pod's own, made from what the pod's spec names.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::env::{self, Source};
use super::paths::Mounts;
use crate::controllers::object::Fields;
use crate::kinds::{CONFIG_MAP, Kind, SECRET};

/// Why a pod's volumes cannot be made. Shown as an Event `FailedMount`.
#[derive(Debug, thiserror::Error)]
pub(super) enum VolumeError {
    /// The object that the volume is made from is not there.
    #[error("volume {volume:?}: {kind} {name:?} not found")]
    Missing {
        /// Name of the volume.
        volume: String,
        /// Kind of the object, in lower case.
        kind: &'static str,
        /// Name of the object.
        name: String,
    },
    /// A key that the volume names is not in the object.
    #[error("volume {volume:?}: {kind} {name:?} has no key {key:?}")]
    NoKey {
        /// Name of the volume.
        volume: String,
        /// Kind of the object, in lower case.
        kind: &'static str,
        /// Name of the object.
        name: String,
        /// The key.
        key: String,
    },
    /// A path that leaves the volume.
    #[error("volume {volume:?}: path {path:?} must be relative and without \"..\"")]
    Path {
        /// Name of the volume.
        volume: String,
        /// The path.
        path: String,
    },
    /// A type of volume that local processes cannot have.
    #[error(
        "volume {volume:?}: of configMap, secret, emptyDir, hostPath, downwardAPI and projected one is needed"
    )]
    Unsupported {
        /// Name of the volume.
        volume: String,
    },
    /// The system refused.
    #[error("volume {volume:?}: {error}")]
    Io {
        /// Name of the volume.
        volume: String,
        /// Why.
        error: io::Error,
    },
}

/// Files of a volume: relative path, content, mode.
type Files = Vec<(PathBuf, Vec<u8>, u32)>;

/// Makes or refreshes a pod's volumes under `directory`. Files that are there already are replaced
/// one by one, each at once; emptyDirs keep their content.
pub(super) fn prepare(
    pod: &Value,
    directory: &Path,
    source: &dyn Source,
) -> Result<(), VolumeError> {
    for volume in pod.list("/spec/volumes") {
        let name = volume.text("/name");
        let io = |error| VolumeError::Io { volume: name.to_owned(), error };
        if let Some(path) = host_path(volume) {
            if volume.text("/hostPath/type") == "DirectoryOrCreate" {
                fs::create_dir_all(path).map_err(io)?;
            }
            continue;
        }
        let at = directory.join(name);
        private_directory(&at).map_err(io)?;
        if volume["emptyDir"].is_object() {
            continue;
        }
        for (path, content, mode) in files(pod, volume, source)? {
            write(&at.join(path), &content, mode).map_err(io)?;
        }
    }
    Ok(())
}

/// Where a container's mounts really are.
pub(super) fn mounts(pod: &Value, container: &Value, directory: &Path) -> Mounts {
    let mut mounts = Mounts::default();
    for mount in container.list("/volumeMounts") {
        let name = mount.text("/name");
        let volume = pod.list("/spec/volumes").iter().find(|volume| volume["name"] == name);
        let real = volume.and_then(host_path).map_or_else(|| directory.join(name), PathBuf::from);
        // Validation lets no other through; one that leads out of the volume leads nowhere.
        let Some(inside) = relative(mount.text("/subPath")) else { continue };
        // Joining an empty path would leave a slash at the end.
        let real = if inside.as_os_str().is_empty() { real } else { real.join(inside) };
        mounts.insert(mount.text("/mountPath"), real);
    }
    mounts
}

fn host_path(volume: &Value) -> Option<&Path> {
    volume.pointer("/hostPath/path")?.as_str().map(Path::new)
}

/// What a volume holds.
fn files(pod: &Value, volume: &Value, source: &dyn Source) -> Result<Files, VolumeError> {
    let name = volume.text("/name");
    let unsupported = || VolumeError::Unsupported { volume: name.to_owned() };
    let mode = |source: &Value| {
        source.int("/defaultMode").and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o644)
    };
    if volume["projected"].is_object() {
        let mut files = Files::new();
        for part in volume.list("/projected/sources") {
            if part["serviceAccountToken"].is_object() {
                // Pods get their token through `KUBECONFIG`.
                continue;
            }
            files.extend(part_files(pod, name, part, mode(&volume["projected"]), source)?);
        }
        return Ok(files);
    }
    let (key, part) = ["configMap", "secret", "downwardAPI"]
        .into_iter()
        .find_map(|key| Some((key, volume.get(key).filter(|part| part.is_object())?)))
        .ok_or_else(unsupported)?;
    part_files(pod, name, &serde_json::json!({ key: part }), mode(part), source)
}

fn part_files(
    pod: &Value,
    volume: &str,
    part: &Value,
    mode: u32,
    source: &dyn Source,
) -> Result<Files, VolumeError> {
    let Some((key, part)) = part.as_object().and_then(|part| part.iter().next()) else {
        return Ok(Files::new());
    };
    match key.as_str() {
        "configMap" => object_files(volume, &CONFIG_MAP, part, part.text("/name"), mode, source),
        "secret" => {
            // The volume calls it `secretName`, the part of a projected one `name`.
            let name = part["secretName"].as_str().unwrap_or_else(|| part.text("/name"));
            object_files(volume, &SECRET, part, name, mode, source)
        }
        "downwardAPI" => {
            let items = part.list("/items").iter().map(|item| {
                let value = env::field(pod, item.text("/fieldRef/fieldPath")).unwrap_or_default();
                Ok((checked(volume, item.text("/path"))?, value.into_bytes(), mode))
            });
            items.collect()
        }
        _ => Err(VolumeError::Unsupported { volume: volume.to_owned() }),
    }
}

fn object_files(
    volume: &str,
    kind: &'static Kind,
    part: &Value,
    name: &str,
    mode: u32,
    source: &dyn Source,
) -> Result<Files, VolumeError> {
    let optional = part["optional"] == true;
    let Some(object) = source.find(kind, name) else {
        let missing = || VolumeError::Missing {
            volume: volume.to_owned(),
            kind: kind.singular,
            name: name.to_owned(),
        };
        return if optional { Ok(Files::new()) } else { Err(missing()) };
    };
    let items = part.list("/items");
    if items.is_empty() {
        let all = env::data(kind, &object);
        return all.map(|(key, bytes)| Ok((checked(volume, key)?, bytes, mode))).collect();
    }
    let mut files = Files::new();
    for item in items {
        let key = item.text("/key");
        let own_mode = item.int("/mode").and_then(|mode| u32::try_from(mode).ok());
        let found = env::data(kind, &object).find(|(found, _)| *found == key);
        match found {
            Some((_, bytes)) => {
                files.push((checked(volume, item.text("/path"))?, bytes, own_mode.unwrap_or(mode)));
            }
            None if optional => {}
            None => {
                return Err(VolumeError::NoKey {
                    volume: volume.to_owned(),
                    kind: kind.singular,
                    name: name.to_owned(),
                    key: key.to_owned(),
                });
            }
        }
    }
    Ok(files)
}

fn checked(volume: &str, path: &str) -> Result<PathBuf, VolumeError> {
    relative(path)
        .filter(|path| !path.as_os_str().is_empty())
        .ok_or_else(|| VolumeError::Path { volume: volume.to_owned(), path: path.to_owned() })
}

/// A path that stays below where it starts.
fn relative(path: &str) -> Option<PathBuf> {
    let normal = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let path = Path::new(path);
    path.components().all(normal).then(|| path.to_owned())
}

/// Makes a directory that only this user can enter.
pub(super) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        private_directory(parent)?;
    }
    if fs::read(path).is_ok_and(|known| known == content) {
        return Ok(());
    }
    // A reader sees the old content or the new one, never half of it.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::write(&new, content)?;
    fs::set_permissions(&new, fs::Permissions::from_mode(mode & 0o777))?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    struct Conf;

    impl Source for Conf {
        fn find(&self, kind: &'static Kind, name: &str) -> Option<Arc<Value>> {
            match (kind.kind, name) {
                ("ConfigMap", "conf") => {
                    Some(Arc::new(json!({"data": {"a.txt": "one", "b.txt": "two"}})))
                }
                ("Secret", "keys") => Some(Arc::new(json!({"data": {"key": "czNjcmV0"}}))),
                _ => None,
            }
        }
    }

    fn pod(volume: Value) -> Value {
        json!({
            "metadata": {"name": "web-1", "namespace": "app"},
            "spec": {"volumes": [volume]},
        })
    }

    fn prepare_one(volume: Value) -> Result<tempfile::TempDir, VolumeError> {
        let directory = tempfile::tempdir().expect("a directory");
        prepare(&pod(volume), directory.path(), &Conf)?;
        Ok(directory)
    }

    #[test]
    fn files_are_made_from_objects() {
        let made = prepare_one(json!({"name": "v", "configMap": {"name": "conf"}})).expect("made");
        assert_eq!(fs::read_to_string(made.path().join("v/a.txt")).unwrap(), "one");
        assert_eq!(fs::read_to_string(made.path().join("v/b.txt")).unwrap(), "two");

        let items = json!([{"key": "key", "path": "sub/token", "mode": 0o400}]);
        let secret = json!({"name": "v", "secret": {"secretName": "keys", "items": items}});
        let made = prepare_one(secret).expect("made");
        let file = made.path().join("v/sub/token");
        assert_eq!(fs::read_to_string(&file).unwrap(), "s3cret");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o400);
        assert_eq!(made.path().join("v").metadata().unwrap().permissions().mode() & 0o777, 0o700);

        let sources = json!([
            {"configMap": {"name": "conf", "items": [{"key": "a.txt", "path": "a"}]}},
            {"secret": {"name": "keys"}},
            {"downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        ]);
        let made =
            prepare_one(json!({"name": "v", "projected": {"sources": sources}})).expect("made");
        for (file, content) in [("a", "one"), ("key", "s3cret"), ("name", "web-1")] {
            assert_eq!(fs::read_to_string(made.path().join("v").join(file)).unwrap(), content);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (volume, message) in [
            (
                json!({"name": "v", "configMap": {"name": "none"}}),
                "volume \"v\": configmap \"none\" not found",
            ),
            (
                json!({"name": "v", "secret": {"secretName": "keys", "items": [{"key": "x", "path": "x"}]}}),
                "volume \"v\": secret \"keys\" has no key \"x\"",
            ),
            (
                json!({"name": "v", "configMap": {"name": "conf", "items": [{"key": "a.txt", "path": "../x"}]}}),
                "volume \"v\": path \"../x\" must be relative and without \"..\"",
            ),
            (
                json!({"name": "v", "nfs": {"server": "x", "path": "/"}}),
                "volume \"v\": of configMap, secret, emptyDir, hostPath, downwardAPI and projected one is needed",
            ),
        ] {
            assert_eq!(prepare_one(volume).expect_err("wrong").to_string(), message);
        }
        let optional = json!({"name": "v", "configMap": {"name": "none", "optional": true}});
        prepare_one(optional).expect("optional");
    }

    #[test]
    fn mount_paths_lead_to_the_volumes() {
        let pod = json!({"spec": {"volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "host", "hostPath": {"path": "/srv/real"}},
        ]}});
        let container = json!({"volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "data", "mountPath": "/cache", "subPath": "cache"},
            {"name": "host", "mountPath": "/host"},
        ]});
        let mounts = mounts(&pod, &container, Path::new("/state/v"));
        assert_eq!(mounts.replace("/data/x"), "/state/v/data/x");
        assert_eq!(mounts.replace("/cache"), "/state/v/data/cache");
        assert_eq!(mounts.replace("/host/y"), "/srv/real/y");
    }
}
