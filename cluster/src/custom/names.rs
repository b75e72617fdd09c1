//! Which names a definition gets, and its conditions.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kinds::Kind;

/// Names that are taken in a group.
#[derive(Debug, Default)]
struct Taken {
    /// Plural, singular and short names.
    resources: HashSet<String>,
    /// Kinds and kinds of lists.
    kinds: HashSet<String>,
}

impl Taken {
    /// By other definitions and by kinds that need none.
    fn of(group: &str, own: &Value, definitions: &[Arc<Value>], kinds: &[&Kind]) -> Self {
        let mut taken = Self::default();
        for kind in kinds.iter().filter(|kind| kind.group == group) {
            let short = kind.short_names.iter().copied();
            taken.resources.extend(short.chain([kind.plural, kind.singular]).map(str::to_owned));
            taken.kinds.extend([kind.kind.to_owned(), kind.list_kind()]);
        }
        let others = definitions.iter().filter(|other| other["metadata"]["uid"] != *own);
        for other in others.filter(|other| other["spec"]["group"] == group) {
            let names = &other["status"]["acceptedNames"];
            let short = names["shortNames"].as_array().into_iter().flatten();
            let resources = short.chain([&names["plural"], &names["singular"]]);
            taken.resources.extend(resources.filter_map(Value::as_str).map(str::to_owned));
            let kinds = [&names["kind"], &names["listKind"]].into_iter();
            taken.kinds.extend(kinds.filter_map(Value::as_str).map(str::to_owned));
        }
        taken
    }
}

/// The status of a definition: names that are free are its own, and it is established once all are.
pub(crate) fn status(
    definition: &Value,
    definitions: &[Arc<Value>],
    kinds: &[&Kind],
    now: &str,
) -> Value {
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let taken = Taken::of(group, &definition["metadata"]["uid"], definitions, kinds);
    let wanted = &definition["spec"]["names"];
    let mut status = definition["status"].clone();
    let mut conflict = None;
    let mut accepted = status["acceptedNames"].take();
    for (field, reason, taken) in [
        ("plural", "PluralConflict", &taken.resources),
        ("singular", "SingularConflict", &taken.resources),
        ("shortNames", "ShortNamesConflict", &taken.resources),
        ("kind", "KindConflict", &taken.kinds),
        ("listKind", "ListKindConflict", &taken.kinds),
    ] {
        let name = &wanted[field];
        let list = name.as_array().into_iter().flatten();
        let used = list.chain([name]).filter_map(Value::as_str).find(|name| taken.contains(*name));
        match used {
            Some(used) => conflict = Some((reason, format!("{used:?} is already in use"))),
            None => put(&mut accepted, field, name),
        }
    }
    put(&mut accepted, "categories", &wanted["categories"]);
    status["acceptedNames"] = accepted;
    let names = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found"),
        Some((reason, message)) => ("False", *reason, message.as_str()),
    };
    set_condition(&mut status, "NamesAccepted", names, now);
    if !is_true(&status, "Established") {
        let established = match conflict {
            None => ("True", "InitialNamesAccepted", "the initial names have been accepted"),
            Some(_) => ("False", "NotAccepted", "not all names are accepted"),
        };
        set_condition(&mut status, "Established", established, now);
    }
    status
}

fn put(names: &mut Value, field: &str, value: &Value) {
    let names = crate::meta::object_at(names);
    match value {
        Value::Null => names.remove(field),
        value => names.insert(field.to_owned(), value.clone()),
    };
}

/// Sets a condition: status, reason, message. Its time is that of the last change of its status.
pub(crate) fn set_condition(
    status: &mut Value,
    name: &str,
    (value, reason, message): (&str, &str, &str),
    now: &str,
) {
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(conditions) = status["conditions"].as_array_mut() else { return };
    let mut new = json!({
        "type": name, "status": value, "lastTransitionTime": now, "reason": reason, "message": message,
    });
    match conditions.iter_mut().find(|condition| condition["type"] == name) {
        Some(old) => {
            if old["status"] == value {
                new["lastTransitionTime"] = old["lastTransitionTime"].take();
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

/// Whether a condition holds.
pub(crate) fn is_true(status: &Value, name: &str) -> bool {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == name && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    fn definition(uid: &str, plural: &str, kind: &str, accepted: bool) -> Value {
        let names = json!({
            "plural": plural, "singular": kind.to_lowercase(), "kind": kind,
            "listKind": format!("{kind}List"), "shortNames": ["x"],
        });
        json!({
            "metadata": {"uid": uid}, "spec": {"group": "ex.io", "names": names},
            "status": {"acceptedNames": if accepted { names } else { json!({"plural": "", "kind": ""}) }},
        })
    }

    fn conditions(status: &Value) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = status["conditions"].as_array().expect("conditions").iter();
        list.map(|c| [&c["type"], &c["status"], &c["reason"], &c["message"]].map(text).join(" "))
            .collect()
    }

    #[test]
    fn names_that_are_free_are_accepted_and_others_are_not() {
        let first = definition("1", "foos", "Foo", false);
        let status = status(&first, &[Arc::new(first.clone())], &[], "t");
        assert_eq!(
            conditions(&status),
            [
                "NamesAccepted True NoConflicts no conflicts found",
                "Established True InitialNamesAccepted the initial names have been accepted",
            ]
        );
        assert_eq!(status["acceptedNames"], first["spec"]["names"]);

        let taken = Arc::new(definition("1", "foos", "Foo", true));
        let second = definition("2", "bars", "Foo", false);
        let status = super::status(&second, &[taken], &[], "t");
        assert_eq!(
            conditions(&status),
            [
                r#"NamesAccepted False ListKindConflict "FooList" is already in use"#,
                "Established False NotAccepted not all names are accepted",
            ]
        );
        assert_eq!(status["acceptedNames"], json!({"plural": "bars", "kind": ""}));
        // In another group they are free.
        let mut other = second;
        other["spec"]["group"] = "other.io".into();
        let taken = Arc::new(definition("1", "foos", "Foo", true));
        assert!(is_true(&super::status(&other, &[taken], &[], "t"), "Established"));
    }

    #[test]
    fn names_of_kinds_that_need_no_definition_are_taken() {
        let mut ingress = definition("1", "ingresses", "Other", false);
        ingress["spec"]["group"] = "networking.k8s.io".into();
        let status = status(&ingress, &[], &[&kinds::INGRESS], "t");
        assert_eq!(
            conditions(&status)[0],
            r#"NamesAccepted False PluralConflict "ingresses" is already in use"#
        );
    }

    #[test]
    fn a_condition_keeps_its_time_while_its_status_stays() {
        let mut status = json!({});
        set_condition(&mut status, "A", ("True", "r", "m"), "1");
        set_condition(&mut status, "A", ("True", "r2", "m"), "2");
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "1");
        assert_eq!(status["conditions"][0]["reason"], "r2");
        set_condition(&mut status, "A", ("False", "r", "m"), "3");
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "3");
    }
}
