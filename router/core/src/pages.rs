//! Pages that take the place of the router's own: for errors, and for maintenance.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;

use crate::reply::Reply;

/// The label that a ConfigMap with pages has; without a prefix. The router reads no others.
pub const LABEL: &str = "pages";

/// Largest page. A ConfigMap has at most 1 MiB in all.
pub const MAX_PAGE: usize = 256 * 1024;

/// The page of maintenance; all others are named by their status.
const MAINTENANCE: &str = "maintenance";

/// Pages by what they are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages(BTreeMap<Name, Page>);

/// What a page is for, the more special first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Maintenance,
    Status(u16),
    /// `4xx` or `5xx`.
    Class(u16),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    content_type: &'static str,
    body: Bytes,
}

/// Why an entry is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Its name.
    #[error(
        "{0:?} names no page; write a status such as 503.html, 5xx.html, or maintenance.html; the ending is \
         html, json or txt"
    )]
    Name(Box<str>),
    /// Its size.
    #[error("{0:?} is larger than 256 KiB")]
    TooLarge(Box<str>),
}

impl Pages {
    /// The pages among the entries of a ConfigMap, and what is wrong with the others.
    pub fn read(entries: &BTreeMap<Box<str>, Bytes>) -> (Self, Vec<PageError>) {
        let (mut pages, mut errors) = (BTreeMap::new(), Vec::new());
        for (entry, body) in entries {
            match parse(entry) {
                None => errors.push(PageError::Name(entry.clone())),
                Some(_) if body.len() > MAX_PAGE => errors.push(PageError::TooLarge(entry.clone())),
                Some((name, content_type)) => {
                    pages.insert(name, Page { content_type, body: body.clone() });
                }
            }
        }
        (Self(pages), errors)
    }

    /// These pages, and those of `platform` for what has none here.
    pub fn over(&self, platform: &Self) -> Self {
        let mut pages = platform.0.clone();
        // A page for all errors of a kind is more to the point than the platform's for one of them.
        let classes = self.0.keys().filter_map(|name| match name {
            Name::Class(class) => Some(*class),
            _ => None,
        });
        for class in classes {
            pages.retain(|name, _| !matches!(name, Name::Status(status) if status / 100 == class));
        }
        pages.extend(self.0.clone());
        Self(pages)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Dresses an error of the router's in its page; all else stays as it is.
    pub fn dress(&self, reply: &mut Reply) {
        let status = reply.status.as_u16();
        let names = [Name::Status(status), Name::Class(status / 100)];
        let maintenance = reply.maintenance.then_some(Name::Maintenance);
        let page = maintenance.into_iter().chain(names).find_map(|name| self.0.get(&name));
        if let Some(page) = page {
            reply.content_type = page.content_type;
            reply.body = page.body.clone();
        }
    }
}

fn parse(entry: &str) -> Option<(Name, &'static str)> {
    let (name, ending) = entry.rsplit_once('.')?;
    let content_type = match ending {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    };
    let name = match name {
        MAINTENANCE => Name::Maintenance,
        "4xx" => Name::Class(4),
        "5xx" => Name::Class(5),
        status => {
            let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
            let error = status.is_client_error() || status.is_server_error();
            Name::Status(error.then_some(status.as_u16())?)
        }
    };
    Some((name, content_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(entries: &[(&str, &str)]) -> BTreeMap<Box<str>, Bytes> {
        entries.iter().map(|&(name, text)| (name.into(), text.to_owned().into())).collect()
    }

    fn pages(list: &[(&str, &str)]) -> Pages {
        let (pages, errors) = Pages::read(&entries(list));
        assert_eq!(errors, []);
        pages
    }

    fn dressed(pages: &Pages, mut reply: Reply) -> String {
        pages.dress(&mut reply);
        format!("{} {}", reply.content_type, String::from_utf8_lossy(&reply.body))
    }

    #[test]
    fn the_page_that_is_most_to_the_point_is_taken() {
        let all = pages(&[
            ("maintenance.html", "back soon"),
            ("503.txt", "nobody"),
            ("5xx.json", "{}"),
            ("404.html", "lost"),
        ]);
        for (reply, expected) in [
            (Reply::maintenance(), "text/html; charset=utf-8 back soon"),
            (Reply::unavailable(), "text/plain; charset=utf-8 nobody"),
            (Reply::bad_gateway(), "application/json {}"),
            (Reply::not_found(), "text/html; charset=utf-8 lost"),
            (Reply::healthy(), "text/plain; charset=utf-8 ok\n"),
            (Reply::moved("/".to_owned()), "text/plain; charset=utf-8 "),
        ] {
            assert_eq!(dressed(&all, reply), expected);
        }
        let some = pages(&[("503.html", "nobody")]);
        assert_eq!(dressed(&some, Reply::maintenance()), "text/html; charset=utf-8 nobody");
        let built_in = "text/plain; charset=utf-8 Your address may not use this application.\n";
        assert_eq!(dressed(&some, Reply::forbidden()), built_in);
    }

    #[test]
    fn an_apps_pages_go_before_the_platforms() {
        let platform =
            pages(&[("502.html", "p502"), ("404.html", "p404"), ("maintenance.html", "p")]);
        let own = pages(&[("5xx.html", "a5xx"), ("maintenance.html", "a")]);
        let both = own.over(&platform);
        for (reply, expected) in [
            (Reply::bad_gateway(), "a5xx"),
            (Reply::not_found(), "p404"),
            (Reply::maintenance(), "a"),
        ] {
            assert_eq!(dressed(&both, reply), format!("text/html; charset=utf-8 {expected}"));
        }
    }

    #[test]
    fn what_is_no_page_is_named() {
        let large = "x".repeat(MAX_PAGE + 1);
        let (pages, errors) = Pages::read(&entries(&[
            ("200.html", ""),
            ("404", ""),
            ("404.php", ""),
            ("600.html", ""),
            ("index.html", ""),
            ("500.html", &large),
        ]));
        assert!(pages.is_empty());
        assert_eq!(errors.len(), 6);
        assert_eq!(errors[3], PageError::TooLarge("500.html".into()));
        assert_eq!(
            errors[5].to_string(),
            "\"index.html\" names no page; write a status such as 503.html, 5xx.html, or maintenance.html; \
             the ending is html, json or txt"
        );
    }
}
