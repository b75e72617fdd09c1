//! The machine: which cores there are, who runs on which, and how to describe it.

use std::{fs, io};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// A set of cores.
#[derive(Clone, Debug)]
pub struct Cores(CpuSet);

/// One core for what is measured, the others for everything else.
///
/// # Errors
/// The number of cores that this process may use, where that is fewer than two.
pub fn split() -> io::Result<Result<(Cores, Cores), usize>> {
    let all = sched_getaffinity(Pid::from_raw(0))?;
    let usable: Vec<_> =
        (0..CpuSet::count()).filter(|core| all.is_set(*core).unwrap_or(false)).collect();
    let [first, rest @ ..] = usable.as_slice() else { return Ok(Err(0)) };
    if rest.is_empty() {
        return Ok(Err(1));
    }
    Ok(Ok((cores(&[*first])?, cores(rest)?)))
}

fn cores(numbers: &[usize]) -> io::Result<Cores> {
    let mut set = CpuSet::new();
    for number in numbers {
        set.set(*number)?;
    }
    Ok(Cores(set))
}

/// Puts this thread, and those that it starts from now on, on `cores`.
///
/// # Errors
/// Those of sched_setaffinity(2).
pub fn pin(cores: &Cores) -> io::Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), &cores.0)?)
}

/// Runs `work` on `cores`, then returns this thread to where it was.
///
/// # Errors
/// Those of [`pin`].
pub fn on<T>(cores: &Cores, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = Cores(sched_getaffinity(Pid::from_raw(0))?);
    pin(cores)?;
    let result = work();
    pin(&before)?;
    Ok(result)
}

/// Processor, number of cores, memory, kernel, and how busy all were in the last minute, in one line.
pub fn describe() -> String {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let (info, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = value(&info, "model name").unwrap_or("unknown processor");
    let hypervisor = value(&info, "flags")
        .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let kind = if hypervisor { " (virtual machine)" } else { "" };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kilobytes =
        value(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
    let gigabytes = kilobytes.map_or(0.0, |kilobytes: f64| kilobytes / 1024.0 / 1024.0);
    let (kernel, load) = (read("/proc/sys/kernel/osrelease"), read("/proc/loadavg"));
    let (kernel, load) = (kernel.trim(), load.split(' ').next().unwrap_or_default());
    format!("{model}, {cores} cores{kind}, {gigabytes:.0} GiB, Linux {kernel}, load {load} before")
}

/// The value of a line `key : value`.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_whole_key() {
        let text = "model\t\t: 17\nmodel name\t: AMD EPYC\nMemTotal:       24 kB\n";
        assert_eq!(value(text, "model name"), Some("AMD EPYC"));
        assert_eq!(value(text, "MemTotal"), Some("24 kB"));
        assert_eq!(value(text, "Mem"), None);
    }
}
