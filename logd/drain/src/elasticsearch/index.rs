//! Which index a line goes to.

use crate::{Line, target::Field};

/// Bytes of an index's name, at most: Elasticsearch's limit, and OpenSearch's.
const NAME_CAP: usize = 255;
/// Bytes of a part of a data stream's name, at most: the limit of the data stream naming scheme.
const PART_CAP: usize = 100;

/// The index that the line itself names.
pub(super) fn of_field(field: &Field, line: &Line<'_>) -> Option<String> {
    let Line { source, incarnation, .. } = line;
    let value = match field {
        Field::App => &source.app,
        Field::Namespace => &source.namespace,
        Field::Pod => &source.pod,
        Field::Container => &*incarnation.container,
        Field::Node => &source.node,
        Field::Process => &source.process,
        Field::Release => &source.release,
        Field::Label(name) => source.labels.get(name)?,
    };
    let name = allowed(value, NAME_CAP, false);
    // What an index's name may not begin with, or what makes it one of the receiver's own.
    let name = name.trim_start_matches(['-', '_', '+', '.']);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The parts of a data stream's name behind `logs`: dataset and namespace. `-` stands between
/// them, so it becomes `_` in them.
pub(super) fn data_stream(line: &Line<'_>) -> [String; 2] {
    let part = |text: &str| {
        let part = allowed(text, PART_CAP, true);
        if part.is_empty() { "default".to_owned() } else { part }
    };
    [part(&line.source.app), part(&line.source.namespace)]
}

/// In lower case, without what Elasticsearch and OpenSearch refuse, and cut.
fn allowed(text: &str, cap: usize, part: bool) -> String {
    let mut name = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = match c {
            '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ' ' | ',' | '#' | ':' => '_',
            '-' if part => '_',
            c if c.is_control() || c.is_whitespace() => '_',
            c => c,
        };
        if name.len() + c.len_utf8() > cap {
            break;
        }
        name.push(c);
    }
    name
}

#[cfg(test)]
mod tests {
    use fairlead_wire::message::Source;

    use super::*;
    use crate::test::{line, source};

    #[test]
    fn parts_of_a_data_stream_have_no_hyphen() {
        let mut source = source();
        (source.app, source.namespace) = ("my-front.v2".into(), "team-a".into());
        let line = Line { source: &source, ..line(b"") };
        assert_eq!(data_stream(&line), ["my_front.v2", "team_a"]);
        let long = Source { app: "a".repeat(300), ..source.clone() };
        assert_eq!(data_stream(&Line { source: &long, ..line })[0].len(), PART_CAP);
    }

    #[test]
    fn fields_name_indices() {
        let line = line(b"");
        for (name, index) in [
            ("service.name", "front"),
            ("kubernetes.namespace", "shop"),
            ("kubernetes.pod.name", "front-web-6f7c-x7k2p"),
            ("kubernetes.container.name", "web"),
            ("kubernetes.node.name", "node-1"),
            ("kubernetes.labels.team", "blue"),
            ("fairlead.process", "web"),
            ("fairlead.release", "v2"),
        ] {
            let field = Field::named(name).unwrap();
            assert_eq!(of_field(&field, &line).as_deref(), Some(index), "{name}");
        }
        let mut source = source();
        source.labels.insert("index".into(), "-_Logs of Shop/*".into());
        source.process = "Ä".repeat(200);
        let line = Line { source: &source, ..line };
        let index = |name: &str| of_field(&Field::named(name).unwrap(), &line);
        assert_eq!(index("kubernetes.labels.index").unwrap(), "logs_of_shop__");
        assert_eq!(index("fairlead.process").unwrap(), "ä".repeat(127));
        assert_eq!(index("kubernetes.labels.none"), None);
    }
}
