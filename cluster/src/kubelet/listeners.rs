//! Which processes listen on all addresses of this machine: in a cluster that is normal, on a laptop
//! it opens the program to the network.

use std::collections::HashSet;
use std::fs;

/// Local address of a listening socket and the socket's inode, as in `/proc/net/tcp` and `tcp6`.
#[derive(Debug, PartialEq, Eq)]
struct Listener {
    all_addresses: bool,
    port: u16,
    inode: u64,
}

/// Whether any process of a group listens, and on which ports it does so on all addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) any: bool,
    pub(super) on_all_addresses: Vec<u16>,
}

/// Looks at the sockets of a process group. Reads `/proc`, which blocks.
pub(super) fn of_group(group: i32) -> Found {
    let sockets = sockets_of_group(group);
    let mut found = Found::default();
    if sockets.is_empty() {
        // The kernel walks all of its hash tables to write these files.
        return found;
    }
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = fs::read_to_string(table).unwrap_or_default();
        for listener in parse(&table).filter(|listener| sockets.contains(&listener.inode)) {
            found.any = true;
            if listener.all_addresses {
                found.on_all_addresses.push(listener.port);
            }
        }
    }
    found.on_all_addresses.sort_unstable();
    found.on_all_addresses.dedup();
    found
}

fn parse(table: &str) -> impl Iterator<Item = Listener> {
    table.lines().skip(1).filter_map(parse_line)
}

fn parse_line(line: &str) -> Option<Listener> {
    let mut fields = line.split_ascii_whitespace();
    let (address, port) = fields.nth(1)?.split_once(':')?;
    // 0A is LISTEN.
    if fields.nth(1)? != "0A" {
        return None;
    }
    Some(Listener {
        all_addresses: address.bytes().all(|digit| digit == b'0'),
        port: u16::from_str_radix(port, 16).ok()?,
        inode: fields.nth(5)?.parse().ok()?,
    })
}

fn sockets_of_group(group: i32) -> HashSet<u64> {
    processes(group)
        .into_iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten())
        .filter_map(|descriptor| {
            let target = fs::read_link(descriptor.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// A group's leader and what descends from it: a few files, where a search for the members of the
/// group would read one of every process of the machine.
fn processes(group: i32) -> Vec<i32> {
    let mut found = vec![group];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children: Vec<i32> = children
            .flat_map(|list| {
                list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
            })
            .filter(|pid| !found.contains(pid))
            .collect();
        found.extend(children);
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_read_from_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100087F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0\n\
            2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 20 4 30 10 -1\n\
            garbage\n";
        assert_eq!(
            parse(table).collect::<Vec<_>>(),
            [
                Listener { all_addresses: true, port: 8080, inode: 4711 },
                Listener { all_addresses: false, port: 8081, inode: 4712 },
            ]
        );
    }
}
