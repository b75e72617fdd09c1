//! Where a reader was, in a form that it can keep.

use std::{fmt, str::FromStr};

/// Where to go on. To clients it is opaque.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// The ring that `next` counts in.
    pub(crate) epoch: u64,
    /// The number of the record that comes next.
    pub(crate) next: u64,
    /// Event time of the line that it was given with.
    pub(crate) time: i64,
    /// Lines that an earlier ring had are left out where they are older than this.
    pub(crate) history: i64,
    /// The content that the line is from, as [`crate::origin::Origin::id`], and where in it the line
    /// ends: what an earlier ring had of it is known to have been shown up to there.
    pub(crate) file: u64,
    pub(crate) end: u64,
    /// How many lines were left out that are not told yet.
    pub(crate) untold: u64,
    /// Lines of this ring before this number were there when the client came: it is shown them,
    /// however old they are.
    pub(crate) seam: u64,
}

/// What is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a cursor of a line")]
pub(crate) struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, next, time, history, file, end, untold, seam } = self;
        write!(f, "{epoch:x}.{next:x}.{time:x}.{history:x}.{file:x}.{end:x}.{untold:x}.{seam:x}")
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut numbers = text.split('.').map(|part| {
            let digits = part.bytes().all(|b| b.is_ascii_hexdigit());
            digits.then(|| u64::from_str_radix(part, 16).ok()).flatten()
        });
        let mut number = || numbers.next().flatten().ok_or(CursorError);
        let cursor = Self {
            epoch: number()?,
            next: number()?,
            time: number()?.cast_signed(),
            history: number()?.cast_signed(),
            file: number()?,
            end: number()?,
            untold: number()?,
            seam: number()?,
        };
        if numbers.next().is_none() { Ok(cursor) } else { Err(CursorError) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(
            (epoch, next, time, history) in any::<(u64, u64, i64, i64)>(),
            (file, end, untold, seam) in any::<(u64, u64, u64, u64)>(),
        ) {
            let cursor = Cursor { epoch, next, time, history, file, end, untold, seam };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn nothing_else_is_one(text in "([0-9a-g+-]{0,5}\\.){6,8}[0-9a-g]{0,5}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(text.matches('.').count(), 7);
                prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            }
        }
    }
}
