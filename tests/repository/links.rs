//! Pages point to pages that are there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::root;

/// The pages: those of the top folder and all below docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![root().join("docs")];
    let files = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(files(&root()).filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    while let Some(folder) = folders.pop() {
        for path in files(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// The targets of the Markdown links `[…](target)` in `text`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

#[test]
fn relative_links_lead_to_files() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for target in
            targets(&text).filter(|target| !target.contains("://") && !target.starts_with('#'))
        {
            let path = target.split('#').next().unwrap();
            if !page.parent().unwrap().join(path).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn targets_are_found() {
    let text = "[a](b.md), [c](https://d/) and [e](f.md#g)\n";
    assert_eq!(targets(text).collect::<Vec<_>>(), ["b.md", "https://d/", "f.md#g"]);
}
