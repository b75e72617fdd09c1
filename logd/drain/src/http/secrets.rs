//! A drain's own secrets, which receivers like to repeat in what they answer.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use percent_encoding::percent_decode_str;

use crate::target::{Http, User};

/// What is shorter is no secret: it would be found everywhere.
const SHORTEST: usize = 4;

/// What of a drain is shown to nobody.
#[derive(Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// Those of a URL: path and query as a whole, each part of the path, each value of the query,
    /// user and password.
    pub(super) fn of(http: &Http) -> Self {
        let mut secrets = Self::default();
        let whole = http.path.expose();
        let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
        secrets.add(whole);
        secrets.add(path);
        path.split('/').for_each(|part| secrets.add(part));
        for pair in query.split('&') {
            secrets.add(pair.split_once('=').map_or(pair, |(_, value)| value));
        }
        for (_, value) in form_urlencoded::parse(query.as_bytes()) {
            secrets.add(&value);
        }
        if let Some(User { name, password }) = &http.user {
            secrets.add(name.expose());
            secrets.add(password.expose());
            secrets.add(&STANDARD.encode(format!("{}:{}", name.expose(), password.expose())));
        }
        secrets
    }

    /// One more, as it is and percent-decoded.
    pub(super) fn add(&mut self, text: &str) {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        for secret in [text, &decoded] {
            if secret.len() >= SHORTEST && !self.0.iter().any(|known| known == secret) {
                self.0.push(secret.to_owned());
            }
        }
        // One may be a part of another.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// The text with `…` in the place of each secret; also of the beginning of one at its end, where
    /// it may have been cut.
    pub(super) fn hide(&self, mut text: String) -> String {
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, "…");
            }
        }
        let beginning = |secret: &String| {
            let ends = secret.char_indices().map(|(at, _)| at).rev();
            ends.take_while(|at| *at >= SHORTEST).find(|at| text.ends_with(&secret[..*at]))
        };
        if let Some(cut) = self.0.iter().filter_map(beginning).max() {
            text.truncate(text.len() - cut);
            text.push('…');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn secrets(url: &str) -> Secrets {
        let Target::Logplex(http) = Target::parse(url).unwrap() else { panic!("{url}") };
        Secrets::of(&http)
    }

    #[test]
    fn what_repeats_a_secret_has_none_in_it() {
        let url =
            "https://me%40shop:pa%2Fss@h/receiver/v1/s%65cret==?key=to%20ken&x=1&page=%C3%A4%C3%A4";
        let mut secrets = secrets(url);
        secrets.add("Bearer abcd1234");
        secrets.add("abcd1234");
        let basic = STANDARD.encode("me@shop:pa/ss");
        for (said, shown) in [
            (
                "/receiver/v1/s%65cret==?key=to%20ken&x=1&page=%C3%A4%C3%A4 is unknown",
                "… is unknown",
            ),
            ("no secret== here", "no … here"),
            ("no s%65cret== in \"/\\/v1\"", "no … in \"/\\/v1\""),
            ("key to ken, to%20ken, ää", "key …, …, …"),
            ("user me@shop, password pa/ss", "user …, password …"),
            (&*format!("authorization: Basic {basic}"), "authorization: Basic …"),
            ("Bearer abcd1234; abcd1234", "…; …"),
            // Cut.
            ("what is abcd1", "what is …"),
            ("what is secret=", "what is …"),
            ("nothing of it: 1", "nothing of it: 1"),
        ] {
            assert_eq!(secrets.hide(said.to_owned()), shown);
        }
    }

    #[test]
    fn where_there_is_no_secret_nothing_is_hidden() {
        let said = "status 400: / is no place";
        assert_eq!(secrets("https://h").hide(said.to_owned()), said);
        assert_eq!(Secrets::default().hide(said.to_owned()), said);
    }
}
