//! The files of the folder and the last good content of each.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use super::parse::{Document, ManifestError, parse};

/// Largest manifest that is read, in bytes.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// `*.yaml`, `*.yml` and `*.json` of one folder, without its sub-folders.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, Vec<Document>>,
}

impl Folder {
    /// The folder `path`; nothing is read yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, files: BTreeMap::new() }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads all files anew. A file that cannot be used keeps the content that
    /// it had when it last could, and gives an error.
    ///
    /// # Errors
    /// Only where the folder itself cannot be read.
    pub(crate) fn read(&mut self) -> Result<Vec<ManifestError>, ManifestError> {
        let unreadable = |source| ManifestError::Read { path: self.path.clone(), source };
        let mut files = BTreeMap::new();
        let mut errors = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if !is_manifest(&path) {
                continue;
            }
            match read_file(&path) {
                Ok(documents) => {
                    files.insert(path, documents);
                }
                Err(error) => {
                    errors.push(error);
                    let kept = self.files.remove(&path).unwrap_or_default();
                    files.insert(path, kept);
                }
            }
        }
        self.files = files;
        Ok(errors)
    }

    /// All objects of all files, in the order of file names. Where two files
    /// describe one object the last one counts.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Document> {
        self.files.values().flatten()
    }
}

fn is_manifest(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

fn read_file(path: &Path) -> Result<Vec<Document>, ManifestError> {
    let unreadable = |source| ManifestError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE {
        return Err(ManifestError::TooLarge { path: path.to_owned() });
    }
    parse(&text).map_err(|(number, reason)| match number {
        0 => ManifestError::Syntax { path: path.to_owned(), reason },
        number => ManifestError::Document { path: path.to_owned(), number, reason },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Folder) -> Vec<String> {
        folder.documents().map(|document| document.id.to_string()).collect()
    }

    fn service(name: &str) -> String {
        format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n")
    }

    #[test]
    fn a_broken_file_keeps_its_last_good_content_and_the_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("b.yaml", &service("b"));
        write("a.yml", &service("a"));
        write("notes.txt", "not a manifest");
        write(".a.yaml.swp", "x");
        let mut folder = Folder::new(dir.path().to_owned());
        assert!(folder.read().unwrap().is_empty());
        assert_eq!(names(&folder), ["Service default/a", "Service default/b"]);

        write("a.yml", "kind: [");
        write("b.yaml", &service("b2"));
        let errors = folder.read().unwrap();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains("a.yml: "), "{}", errors[0]);
        assert_eq!(names(&folder), ["Service default/a", "Service default/b2"]);

        fs::remove_file(dir.path().join("a.yml")).unwrap();
        assert!(folder.read().unwrap().is_empty());
        assert_eq!(names(&folder), ["Service default/b2"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_that_names_it() {
        let error = Folder::new("/does/not/exist".into()).read().unwrap_err();
        assert!(error.to_string().starts_with("/does/not/exist: "), "{error}");
    }
}
