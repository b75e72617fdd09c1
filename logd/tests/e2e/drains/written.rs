//! What was written, and what became of it.

use std::{collections::BTreeSet, net::SocketAddr};

use serde_json::Value;

use super::{App, balances, shown};
use crate::support::{Client, Receiver};

/// Lines that are given to logd at once.
const AT_ONCE: usize = 500;

/// Lines of an app, numbered from 0 on.
pub(super) struct Written {
    app: App,
    /// Where each ends in the app's file.
    ends: Vec<u64>,
}

impl Written {
    /// None so far.
    pub(super) async fn at(wire: SocketAddr, app: &str) -> Self {
        let file = app.replace('/', "-");
        Self { app: App::at(wire, app, &file).await, ends: Vec::new() }
    }

    /// Writes so many more.
    pub(super) async fn write(&mut self, count: usize) {
        let first = self.ends.len();
        let mut end = self.ends.last().copied().unwrap_or_default();
        self.ends.extend((first..first + count).map(|number| {
            end += text(number).len() as u64 + 1;
            end
        }));
        self.send(first).await;
    }

    /// As a shipper does when another logd comes: what was not settled is sent to that one. How many
    /// lines that are.
    pub(super) async fn go_on(&mut self, wire: SocketAddr, app: &str) -> usize {
        let (settled, from) = (self.settled(), self.app.settled);
        self.app = App::at(wire, app, &app.replace('/', "-")).await;
        (self.app.from, self.app.settled) = (from, from);
        self.send(settled).await;
        self.ends.len() - settled
    }

    /// Lines that were written.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Of those, the ones that need not be sent again, as far as their writer was told.
    pub(super) fn settled(&self) -> usize {
        self.ends.partition_point(|end| *end <= self.app.settled)
    }

    /// Takes what a logd that has ended had said.
    pub(super) async fn hears_the_rest(&mut self) {
        let settled = self.app.sender.rest().await.into_iter().map(|ack| ack.settled).max();
        self.app.settled = self.app.settled.max(settled.unwrap_or_default());
    }

    /// Waits until so many are settled.
    pub(super) async fn until_settled(&mut self, lines: usize) {
        let wanted = self.ends[lines - 1];
        if self.app.settled < wanted {
            let ack = self.app.sender.ack(1, |ack| ack.settled >= wanted).await;
            self.app.settled = ack.settled;
        }
    }

    /// Waits until all is settled.
    pub(super) async fn all_settled(&mut self) {
        self.app.settled().await;
    }

    async fn send(&mut self, first: usize) {
        let texts: Vec<String> = (first..self.ends.len()).map(text).collect();
        for texts in texts.chunks(AT_ONCE) {
            let known = self.app.settled;
            self.app.write(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
            // A logd knows nothing of what an earlier one had settled.
            self.app.settled = self.app.settled.max(known);
        }
    }
}

/// The text of a line: its number, and as much as makes lines of all lengths.
pub(super) fn text(number: usize) -> String {
    format!("{number} {}.", "x".repeat(number % 200))
}

/// The number of a line; none of what logd tells itself.
pub(super) fn number(line: &str) -> Option<usize> {
    let number = line.split(' ').next()?.parse().ok()?;
    assert_eq!(line, text(number), "it is whole");
    Some(number)
}

/// The numbers of what a receiver got, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Got(pub(super) Vec<usize>);

impl Got {
    /// Adds what comes until each of the first `lines` was there.
    pub(super) async fn until(&mut self, receiver: &mut Receiver, lines: usize) {
        let mut distinct = self.distinct();
        while distinct.len() < lines {
            let Some(number) = number(&receiver.text().await) else { continue };
            distinct.insert(number);
            self.0.push(number);
        }
    }

    /// Adds all that has come.
    pub(super) fn rest(&mut self, receiver: &mut Receiver) {
        while let Some((_, line)) = receiver.try_numbered() {
            self.0.extend(number(&line));
        }
    }

    /// Those of the first `lines` that are not there.
    pub(super) fn missing(&self, lines: usize) -> Vec<usize> {
        let distinct = self.distinct();
        (0..lines).filter(|number| !distinct.contains(number)).collect()
    }

    fn distinct(&self) -> BTreeSet<usize> {
        self.0.iter().copied().collect()
    }

    /// Each of the first `lines` is there, and nothing else; so many came again.
    pub(super) fn again(&self, lines: usize) -> usize {
        let distinct = self.distinct();
        assert!(distinct.iter().copied().eq(0..lines), "{} of {lines} are there", distinct.len());
        self.0.len() - lines
    }
}

/// Asserts that a drain's account balances, at each moment until the drain has nothing more to do, and
/// is of so many lines. What is shown of it then.
pub(super) async fn account(client: &Client, id: &str, lines: usize) -> Value {
    let drain = shown(client, id, |drain| {
        assert!(balances(drain), "{drain}");
        let idle = drain["lag"]["records"] == 0 && drain["lines"]["pending"] == 0;
        idle && of(drain, "matched") >= lines
    })
    .await;
    assert_eq!(of(&drain, "matched"), lines, "{drain}");
    drain
}

/// So many lines of a drain are in this account.
pub(super) fn of(drain: &Value, account: &str) -> usize {
    drain["lines"][account].as_u64().unwrap().try_into().unwrap()
}
