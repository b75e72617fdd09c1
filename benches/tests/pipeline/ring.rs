//! What logd holds, read back by name.

use std::collections::{BTreeSet, HashMap};

use fairlead_benches::logs::{
    Truth,
    follower::{self, Trouble},
    lines::StreamId,
    truth::Name,
};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use super::world::{APP, LOOK, PATIENCE, World, incarnation};

/// An answer holds 32 MiB of lines at most, so they are asked for by time.
const SLICE: SignedDuration = SignedDuration::from_secs(3);

type Lines = BTreeSet<(StreamId, u64)>;

impl World {
    /// Reads everything that logd holds, once it has what the node's files hold: which lines they are.
    /// No line is held twice, and each record has the name of the line that ends it.
    pub(crate) async fn ring(&self, truth: &Truth) -> Lines {
        let files: Lines = truth.held().into_keys().collect();
        let names = truth.names();
        let begun = Instant::now();
        loop {
            let lacks = match self.held(&names).await {
                Ok(held) if held.is_superset(&files) => return held,
                Ok(held) => {
                    let lacks: Vec<_> = files.difference(&held).collect();
                    let (count, some) = (lacks.len(), &lacks[..lacks.len().min(5)]);
                    format!("{count} of {} lines, {some:?}; it holds {}", files.len(), held.len())
                }
                Err(error) => error.to_string(),
            };
            assert!(begun.elapsed() < PATIENCE, "logd lacks {lacks}\n{}", self.told());
            sleep(LOOK * 10).await;
        }
    }

    async fn held(&self, names: &HashMap<Name, (StreamId, u64)>) -> Result<Lines, Trouble> {
        let mut held = Lines::new();
        let mut since = self.begun;
        while since < Timestamp::now() {
            let until = since + SLICE;
            let path = format!("/logs/{APP}?format=json&since={since}&until={until}");
            let answer = follower::read(self.logds[0].http, &path).await?;
            for line in answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let line: follower::Line<'_> = serde_json::from_slice(line)?;
                if !line.notice {
                    self.take(&line, names, &mut held);
                }
            }
            since = until;
        }
        Ok(held)
    }

    fn take(
        &self,
        line: &follower::Line<'_>,
        names: &HashMap<Name, (StreamId, u64)>,
        held: &mut Lines,
    ) {
        let (mut rest, mut last) = (line.message.as_bytes(), None);
        while !rest.is_empty() {
            let (stream, number, behind) = self.lines.read(rest).expect("untorn");
            assert!(held.insert((stream, number)), "{stream}:{number} is held twice");
            (rest, last) = (behind, Some((stream, number)));
        }
        let (file, end) = line.name.rsplit_once(':').unwrap();
        let name = (incarnation(file), end.parse().unwrap());
        assert_eq!(names.get(&name).copied(), last, "{}", line.name);
    }
}
