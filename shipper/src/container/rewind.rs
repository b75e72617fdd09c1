//! Where to begin with a logd that is new to a container: another instance, or another owner.

use std::sync::Arc;

use super::{Begin, Container};
use crate::decode::Position;

impl Container {
    /// Goes back to what is not settled, and to where the last `history` bytes begin if that is earlier, as
    /// far as the files reach. What was stored before was stored elsewhere.
    pub fn rewind(&mut self, instance: &Arc<str>, history: u64) {
        let earlier = self.instance.replace(instance.clone()).is_some();
        let mut left = history;
        // The oldest of which something is sent, or else the one that is written.
        let mut first = self.files.len().saturating_sub(1);
        for (index, file) in self.files.iter_mut().enumerate().rev() {
            let size = file.size();
            // What is deleted is not read once more for readers.
            let history = if file.path(&self.directory).is_some() { left.min(size) } else { 0 };
            left -= history;
            let near = size - history;
            file.begin = match near {
                _ if history == 0 || near >= file.settled.to => Begin::At(file.settled),
                0 => Begin::At(Position::at(0)),
                _ => Begin::Near(near),
            };
            let (Begin::At(Position { to, .. }) | Begin::Near(to)) = file.begin;
            if to < size {
                first = index;
            }
            (file.lacking, file.stored) = (false, None);
            file.marks.clear();
            // What is not sent counts as if it had been.
            if let Some(end) = file.complete.filter(|end| to >= *end) {
                file.stored = Some(Position::at(end));
                file.begin = Begin::At(Position::at(end));
            }
        }
        let before = self.files.iter().take(first).any(|file| file.size() > 0);
        if let Some(file) = self.files.get_mut(first) {
            let (Begin::At(Position { to, .. }) | Begin::Near(to)) = file.begin;
            file.lacking = earlier && (self.forgot || to > 0 || before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Instant;

    use super::*;
    use crate::container::{ContainerKey, LogFile, Place};
    use crate::path::PodPath;

    #[test]
    fn what_an_earlier_logd_had_and_this_one_does_not_get_is_lacking() {
        let now = Instant::now();
        let path = PodPath { namespace: "n".into(), pod: "p".into(), uid: "u".into() };
        let key = ContainerKey { pod: "n_p_u".into(), name: "c".into() };
        let mut container = Container::new(key, path, PathBuf::new(), now);
        for (id, place) in [(1, Place::Gone), (2, Place::Live)] {
            let mut file = LogFile::new(id, 0, place, now);
            (file.stored, file.settled) = (Some(Position::at(10)), Position::at(10));
            container.files.push(file);
        }
        container.files[0].complete = Some(10);
        let lacking = |container: &mut Container, instance: &str| {
            container.rewind(&Arc::from(instance), u64::MAX);
            (0..container.files.len()).for_each(|index| container.pass(index));
            container.files.iter().map(|file| file.lacking).collect::<Vec<_>>()
        };
        assert_eq!(lacking(&mut container, "first"), [false, false], "nobody had it before");
        assert_eq!(lacking(&mut container, "second"), [false, true]);
        // It read to its end, and that was not noted before it was gone.
        (container.files[0].complete, container.files[0].settled) = (None, Position::at(10));
        container.rewind(&Arc::from("third"), u64::MAX);
        container.files[0].complete = Some(10);
        container.files[0].stored = Some(Position::at(10));
        container.pass(0);
        assert!(container.files[1].lacking);
        // Gone and forgotten.
        container.files.remove(0);
        assert_eq!(lacking(&mut container, "fourth"), [false]);
        container.forgot = true;
        assert_eq!(lacking(&mut container, "fifth"), [true]);
        container.files[0].sent(Position::at(20));
        container.files[0].acknowledged(20, 20);
        assert!(!container.files[0].lacking, "told");
    }

    #[test]
    fn what_was_settled_and_is_gone_is_not_sent_again() {
        let now = Instant::now();
        let path = PodPath { namespace: "n".into(), pod: "p".into(), uid: "u".into() };
        let key = ContainerKey { pod: "n_p_u".into(), name: "c".into() };
        let mut container = Container::new(key, path, PathBuf::new(), now);
        for (id, place) in [(1, Place::Gone), (2, Place::Gone), (3, Place::Live)] {
            let mut file = LogFile::new(id, 0, place, now);
            file.settled = Position::at(id);
            container.files.push(file);
        }
        // Given up behind what is settled.
        container.files[1].complete = Some(2);
        container.rewind(&Arc::from("another"), u64::MAX);
        let begin: Vec<_> = container.files.iter().map(|file| file.begin).collect();
        assert_eq!(begin, [1, 2, 0].map(|at| Begin::At(Position::at(at))));
    }
}
