//! What has to be written so that the cluster holds what the manifests say.

use std::collections::BTreeMap;

use super::parse::{Document, ObjectId};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Server-side apply of the object.
    Apply(Document),
    /// The object is in no manifest any more.
    Delete(ObjectId),
}

/// The writes that lead from what was `applied` to what is `wanted`: first what
/// others need, deletions last and in the opposite order.
pub(crate) fn plan<'a>(
    applied: &BTreeMap<ObjectId, Document>,
    wanted: impl Iterator<Item = &'a Document>,
) -> Vec<Action> {
    let wanted: BTreeMap<_, _> = wanted.map(|document| (&document.id, document)).collect();
    let mut applies: Vec<_> =
        wanted.values().filter(|document| applied.get(&document.id) != Some(document)).collect();
    applies.sort_by_key(|document| rank(&document.id));
    let mut deletes: Vec<_> = applied.keys().filter(|id| !wanted.contains_key(id)).collect();
    deletes.sort_by_key(|id| std::cmp::Reverse(rank(id)));
    let applies = applies.into_iter().map(|document| Action::Apply((**document).clone()));
    applies.chain(deletes.into_iter().map(|id| Action::Delete(id.clone()))).collect()
}

fn rank(id: &ObjectId) -> u8 {
    match id.kind.as_str() {
        "Namespace" => 0,
        "ServiceAccount" | "Secret" | "ConfigMap" => 1,
        "Service" => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::parse::parse, *};

    fn documents(entries: &[(&str, &str)]) -> Vec<Document> {
        let text: Vec<_> = entries
            .iter()
            .map(|(kind, name)| {
                let group = if *kind == "Deployment" { "apps/v1" } else { "v1" };
                format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: {name}}}\n")
            })
            .collect();
        parse(&text.join("---\n")).unwrap()
    }

    fn shown(actions: &[Action]) -> Vec<String> {
        let line = |action: &Action| match action {
            Action::Apply(document) => format!("apply {}", document.id),
            Action::Delete(id) => format!("delete {id}"),
        };
        actions.iter().map(line).collect()
    }

    #[test]
    fn only_differences_are_written_in_the_order_of_need() {
        let wanted = documents(&[
            ("Deployment", "web"),
            ("Service", "web"),
            ("Namespace", "shop"),
            ("Secret", "s"),
        ]);
        assert_eq!(
            shown(&plan(&BTreeMap::new(), wanted.iter())),
            [
                "apply Namespace shop",
                "apply Secret default/s",
                "apply Service default/web",
                "apply Deployment default/web"
            ]
        );
        let applied: BTreeMap<_, _> = wanted.iter().map(|d| (d.id.clone(), d.clone())).collect();
        assert_eq!(plan(&applied, wanted.iter()), []);
        let mut edited = documents(&[("Service", "web")]);
        edited[0].object["metadata"]["labels"] = serde_json::json!({"a": "b"});
        assert_eq!(
            shown(&plan(&applied, edited.iter())),
            [
                "apply Service default/web",
                "delete Deployment default/web",
                "delete Secret default/s",
                "delete Namespace shop"
            ]
        );
    }
}
