//! The machine: which cores there are, who runs on which, and how to describe it.

use std::{fs, io};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// A set of cores.
#[derive(Clone)]
pub(crate) struct Cores(CpuSet);

/// One core for the proxies, the others for the load and the backend; `Err` with the number of cores
/// when that cannot be.
pub(crate) fn split() -> io::Result<Result<(Cores, Cores), usize>> {
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

/// Puts this thread on `cores`.
pub(crate) fn pin(cores: &Cores) -> io::Result<()> {
    Ok(sched_setaffinity(Pid::from_raw(0), &cores.0)?)
}

/// Runs `work` on `cores`, then returns this thread to where it was.
pub(crate) fn on<T>(cores: &Cores, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = Cores(sched_getaffinity(Pid::from_raw(0))?);
    pin(cores)?;
    let result = work();
    pin(&before)?;
    Ok(result)
}

/// Processor, number of cores and kernel, in one line.
pub(crate) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}
