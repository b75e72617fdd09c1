//! The label selector language: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

use serde_json::Value;

use crate::status::Status;

/// One term of a label selector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Requirement {
    key: String,
    operator: Operator,
}

#[derive(Debug, Clone, PartialEq)]
enum Operator {
    In(Vec<String>),
    /// Also matches objects without the label.
    NotIn(Vec<String>),
    Exists,
    Absent,
    Greater(i64),
    Less(i64),
}

impl Requirement {
    pub(super) fn equal(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), operator: Operator::In(vec![value.to_owned()]) }
    }

    pub(super) fn matches(&self, labels: Option<&Value>) -> bool {
        let value = labels.and_then(|labels| labels.get(&self.key)).and_then(Value::as_str);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
            Operator::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            Operator::Exists => value.is_some(),
            Operator::Absent => value.is_none(),
            Operator::Greater(than) => number().is_some_and(|value| value > *than),
            Operator::Less(than) => number().is_some_and(|value| value < *than),
        }
    }
}

/// Reads `matchLabels` and `matchExpressions`; `None` where they are malformed.
pub(super) fn from_label_selector(selector: &Value) -> Option<Vec<Requirement>> {
    let mut requirements = Vec::new();
    if let Some(labels) = selector.get("matchLabels").filter(|v| !v.is_null()) {
        for (key, value) in labels.as_object()? {
            requirements.push(Requirement::equal(key, value.as_str()?));
        }
    }
    if let Some(expressions) = selector.get("matchExpressions").filter(|v| !v.is_null()) {
        for expression in expressions.as_array()? {
            let values = || -> Option<Vec<String>> {
                let values = expression.get("values")?.as_array()?;
                values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
            };
            let operator = match expression.get("operator")?.as_str()? {
                "In" => Operator::In(values()?),
                "NotIn" => Operator::NotIn(values()?),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::Absent,
                _ => return None,
            };
            requirements
                .push(Requirement { key: expression.get("key")?.as_str()?.to_owned(), operator });
        }
    }
    Some(requirements)
}

/// Parses the selector language.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, Status> {
    let mut parser = Parser { tokens: tokens(text), position: 0 };
    let mut requirements = Vec::new();
    if *parser.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(parser.requirement()?);
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") => match parser.peek() {
                Token::Word(_) | Token::Symbol("!") => {}
                other => {
                    return Err(expected(other, "identifier after ','"));
                }
            },
            other => return Err(expected(&other, "',' or 'end of string'")),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Symbol(&'static str),
    End,
}

fn expected(found: &Token, wanted: &str) -> Status {
    let found = match found {
        Token::Word(word) => word,
        Token::Symbol(symbol) => *symbol,
        Token::End => "",
    };
    Status::bad_request(format!("found '{found}', expected: {wanted}"))
}

fn tokens(text: &str) -> Vec<Token> {
    const SYMBOLS: [&str; 9] = ["==", "!=", "=", "!", ",", "(", ")", ">", "<"];
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            tokens.push(Token::End);
            return tokens;
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
            continue;
        }
        let end =
            rest.find(|c: char| c.is_whitespace() || "=!,()><".contains(c)).unwrap_or(rest.len());
        tokens.push(Token::Word(rest[..end].to_owned()));
        rest = &rest[end..];
    }
}

struct Parser {
    tokens: Vec<Token>,
    position: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.position).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.position += 1;
        token
    }

    fn requirement(&mut self) -> Result<Requirement, Status> {
        let absent = *self.peek() == Token::Symbol("!");
        if absent {
            self.next();
        }
        let key = match self.next() {
            Token::Word(word) => word,
            other => return Err(expected(&other, "!, identifier, or 'end of string'")),
        };
        if absent {
            return Ok(Requirement { key, operator: Operator::Absent });
        }
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(Requirement { key, operator: Operator::Exists });
        }
        let operator = match self.next() {
            Token::Symbol("=" | "==") => Operator::In(vec![self.exact_value()?]),
            Token::Symbol("!=") => Operator::NotIn(vec![self.exact_value()?]),
            Token::Symbol(">") => Operator::Greater(self.number()?),
            Token::Symbol("<") => Operator::Less(self.number()?),
            Token::Word(word) if word == "in" => Operator::In(self.values()?),
            Token::Word(word) if word == "notin" => Operator::NotIn(self.values()?),
            other => return Err(expected(&other, "in, notin, =, ==, !=, gt, lt")),
        };
        Ok(Requirement { key, operator })
    }

    /// A value may be empty: `a=`.
    fn exact_value(&mut self) -> Result<String, Status> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(String::new()),
            _ => match self.next() {
                Token::Word(word) => Ok(word),
                other => Err(expected(&other, "identifier")),
            },
        }
    }

    fn number(&mut self) -> Result<i64, Status> {
        let value = self.exact_value()?;
        value.parse().map_err(|_| {
            Status::bad_request(format!(
                "for 'Gt', 'Lt' operators, the value must be an integer: found '{value}'"
            ))
        })
    }

    fn values(&mut self) -> Result<Vec<String>, Status> {
        match self.next() {
            Token::Symbol("(") => {}
            other => return Err(expected(&other, "'('")),
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                Token::Word(word) => values.push(word),
                // `in (a,)` holds the empty value too.
                Token::Symbol(",") => {
                    values.push(String::new());
                    continue;
                }
                Token::Symbol(")") if values.is_empty() => {
                    return Ok(vec![String::new()]);
                }
                other => return Err(expected(&other, "',', ')' or identifier")),
            }
            match self.next() {
                Token::Symbol(",") => {
                    if *self.peek() == Token::Symbol(")") {
                        self.next();
                        values.push(String::new());
                        return Ok(values);
                    }
                }
                Token::Symbol(")") => return Ok(values),
                other => return Err(expected(&other, "',' or ')'")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selects(selector: &str, labels: &Value) -> bool {
        let requirements = parse(selector).expect("a valid selector");
        requirements.iter().all(|requirement| requirement.matches(Some(labels)))
    }

    #[test]
    fn operators_select_as_kubernetes_documents() {
        let labels = json!({"app": "web", "tier": "1", "empty": ""});
        for (selector, expected) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier=1", true),
            ("app=api", false),
            ("app!=api", true),
            ("none!=api", true),
            ("app in (api, web)", true),
            ("app in (api)", false),
            ("app notin (api)", true),
            ("none notin (api)", true),
            ("app notin (web)", false),
            ("app", true),
            ("none", false),
            ("!none", true),
            ("!app", false),
            ("tier>0", true),
            ("tier<1", false),
            ("empty=", true),
            ("app=,tier", false),
        ] {
            assert_eq!(selects(selector, &labels), expected, "{selector}");
        }
    }

    #[test]
    fn bad_syntax_is_told_as_kubernetes_tells_it() {
        let refused = parse("===").expect_err("three equal signs");
        assert_eq!(refused.message, "found '==', expected: !, identifier, or 'end of string'");
        for bad in ["a in b", "a in (b", "a=b c", "a,,b", "a=b,", "in (", "a>b"] {
            assert_eq!(parse(bad).expect_err(bad).code, 400, "{bad}");
        }
    }
}
