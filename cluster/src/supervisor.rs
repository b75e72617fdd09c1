//! The process that outlives a killed cluster just long enough to end its pods.
//!
//! Nothing can be cleaned up in a process that got `kill -9`, and a Linux parent-death signal needs
//! code between fork and exec. So a second process, the same binary run with a hidden argument,
//! reads a pipe whose other end only the cluster holds. The cluster writes the process groups that
//! it starts; when the pipe ends, for whatever reason, the groups that are left are killed.
//!
//! It is not the parent of the pods: then it would have to hand over their output and exit status,
//! and its own death would take them from the cluster. The gap between starting a process and
//! telling of it is closed on the other side: a process waits before it becomes the pod's program
//! until it was told of (see `kubelet::process`).

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// The longest line that is read; a longer one is an error.
const LONGEST_LINE: u64 = 64;

/// Reads process groups, `+GROUP STARTED` and `-GROUP` a line each, until the input ends; then kills
/// the groups that are left. `STARTED` is the start time of the group's leader as in field 22 of
/// `/proc/PID/stat`: a number that another process uses by now is left alone.
///
/// # Errors
/// When the input cannot be read or is not in this form; the groups known so far are killed first.
pub fn supervise(input: impl Read) -> io::Result<()> {
    let mut groups = BTreeMap::new();
    let outcome = follow(input, &mut groups);
    for (group, started) in groups {
        kill(group, started);
    }
    outcome
}

fn follow(input: impl Read, groups: &mut BTreeMap<i32, u64>) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = String::new();
    loop {
        line.clear();
        input.by_ref().take(LONGEST_LINE).read_line(&mut line)?;
        let Some(content) = line.strip_suffix('\n') else {
            // The end, or a line that its writer did not live to finish.
            return if line.len() < LONGEST_LINE as usize { Ok(()) } else { Err(malformed(&line)) };
        };
        apply(content, groups).ok_or_else(|| malformed(&line))?;
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not `+GROUP STARTED` or `-GROUP`: {line:?}"),
    )
}

fn apply(line: &str, groups: &mut BTreeMap<i32, u64>) -> Option<()> {
    let group = |number: &str| number.parse::<i32>().ok().filter(|group| *group > 1);
    if let Some(added) = line.strip_prefix('+') {
        let (number, started) = added.split_once(' ')?;
        groups.insert(group(number)?, started.parse().ok()?);
    } else {
        groups.remove(&group(line.strip_prefix('-')?)?);
    }
    Some(())
}

/// Kills a process group, unless its number has gone to another since.
///
/// While any process of a group lives, its number is not given to a new process. So a leader with
/// another start time means that the group is gone, and no leader means that it may have survivors.
pub(crate) fn kill(group: i32, started: u64) {
    if start_time(group).is_none_or(|now| now == started) {
        // Fails only when nobody is left in the group.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// When a process started, in clock ticks since boot; `None` when there is none.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    parse_start_time(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Field 22 of `/proc/PID/stat`. The name in field 2 may hold spaces and brackets.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_add_and_remove_groups() {
        let mut groups = BTreeMap::new();
        follow(&b"+100 7\n+200 8\n-100\n+300"[..], &mut groups).expect("well-formed");
        assert_eq!(groups, BTreeMap::from([(200, 8)]));
    }

    #[test]
    fn malformed_lines_end_it() {
        for bad in ["100\n", "+x 1\n", "+1 1\n", "+0 1\n", "+-5 1\n", "+100\n", "\n", "-\n"] {
            assert!(follow(bad.as_bytes(), &mut BTreeMap::new()).is_err(), "{bad:?}");
        }
        assert!(follow("9".repeat(100).as_bytes(), &mut BTreeMap::new()).is_err());
    }

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 2";
        assert_eq!(parse_start_time(stat), Some(123_456));
        assert_eq!(parse_start_time("42 (a"), None);
    }
}
