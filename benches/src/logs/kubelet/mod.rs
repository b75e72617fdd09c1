//! A node's kubelet and runtime, as far as log files show them: containers that write at a steady
//! rate, whatever happens to their readers, and files that are rotated, compressed and deleted.
//!
//! What is written, how it is mixed and where writes are cut is decided by the seed; when, by the
//! clock.

mod clock;
mod container;
mod rotate;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;

use super::lines::{Lines, StreamId};
use super::truth::{ContainerName, Truth, stream_ids};
use container::Container;
use rotate::Rotated;

/// How often the due lines are written.
const TICK: Duration = Duration::from_millis(2);
/// How long a kubelet waits for the runtime to open a new log.
const REOPEN: Duration = Duration::from_millis(200);

/// When logs are rotated, and how much of them is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// `containerLogMaxSize`, in bytes.
    pub max_size: u64,
    /// `containerLogMaxFiles`.
    pub max_files: usize,
    /// `containerLogMonitorInterval`; at least a second, since names have seconds.
    pub interval: Duration,
}

impl Rotation {
    /// A kubelet's own: 10 MiB, five files, every 10 s.
    pub const DEFAULT: Self = Self::every(10, 10);

    /// With five files.
    #[must_use]
    pub const fn every(mebibytes: u64, seconds: u64) -> Self {
        Self::at(mebibytes * 1024, Duration::from_secs(seconds))
    }

    /// With five files, which are rotated at so many KiB.
    #[must_use]
    pub const fn at(kibibytes: u64, interval: Duration) -> Self {
        Self { max_size: kibibytes * 1024, max_files: 5, interval }
    }
}

/// A node on which containers write.
#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    pods: PathBuf,
    stop: Vec<(Sender<()>, JoinHandle<io::Result<()>>)>,
}

#[derive(Debug)]
struct Shared {
    lines: Lines,
    seed: u64,
    /// Lines a second, over all containers.
    rate: AtomicU64,
    slots: Mutex<Vec<Arc<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    /// Locked by whoever does something to the container, so that it is one thing at a time.
    rotations: Mutex<Rotations>,
    /// Locked shortly: it writes.
    container: Mutex<Container>,
}

/// Of a container's log.
#[derive(Debug, Default)]
struct Rotations {
    /// Those after which there was a new log.
    done: u64,
    /// Whether one was taken back.
    taken_back: bool,
}

impl Node {
    /// Starts a node without containers, whose log files are under `pods`.
    #[must_use]
    pub fn start(pods: PathBuf, lines: Lines, seed: u64, rotation: Rotation) -> Self {
        let shared = Arc::new(Shared { lines, seed, rate: 0.into(), slots: Mutex::default() });
        let mut node = Self { shared, pods, stop: Vec::new() };
        node.thread("runtime", |shared, stop| shared.write(stop));
        node.thread("kubelet", move |shared, stop| shared.rotate(rotation, stop));
        node
    }

    fn thread(
        &mut self,
        name: &str,
        run: impl FnOnce(Arc<Shared>, Receiver<()>) -> io::Result<()> + Send + 'static,
    ) {
        let (stop, stopped) = bounded(1);
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(|| run(shared, stopped)).expect("a thread can be started");
        self.stop.push((stop, thread));
    }

    /// Starts a container. Returns its number, from 0 on.
    ///
    /// # Errors
    /// Where its file cannot be made.
    pub fn run(&self, name: ContainerName) -> io::Result<usize> {
        let mut slots = self.shared.slots.lock();
        let number = slots.len();
        let streams: [StreamId; 2] = stream_ids(number);
        let (lines, seed) = (self.shared.lines.clone(), self.shared.seed);
        let container = Container::start(&self.pods, name, lines, streams, seed)?;
        let (rotations, container) = (Mutex::default(), Mutex::new(container));
        slots.push(Arc::new(Slot { rotations, container }));
        Ok(number)
    }

    /// How many lines a second are written from now on, spread evenly over the containers that run.
    /// None are before this is called.
    pub fn rate(&self, lines: u64) {
        self.shared.rate.store(lines, Ordering::Relaxed);
    }

    /// Restarts a container.
    ///
    /// # Errors
    /// Where its files cannot be made or removed.
    pub fn restart(&self, number: usize) -> io::Result<()> {
        let slot = self.slot(number);
        let _alone = slot.rotations.lock();
        slot.container.lock().restart()
    }

    /// Ends the only container of a pod, and removes the pod's directory.
    ///
    /// # Errors
    /// Where the directory cannot be removed.
    pub fn remove(&self, number: usize) -> io::Result<()> {
        let slot = self.slot(number);
        let _alone = slot.rotations.lock();
        slot.container.lock().remove()
    }

    fn slot(&self, number: usize) -> Arc<Slot> {
        self.shared.slots.lock()[number].clone()
    }

    /// How often a container's log was rotated, so that there was a new one.
    #[must_use]
    pub fn rotations(&self, number: usize) -> u64 {
        self.slot(number).rotations.lock().done
    }

    /// What was written so far.
    #[must_use]
    pub fn truth(&self) -> Truth {
        let slots = self.shared.slots.lock();
        Truth::new(slots.iter().map(|slot| slot.container.lock().truth().clone()).collect())
    }

    /// Ends rotation and writing for good, which leaves all files whole. Returns what was written.
    ///
    /// # Errors
    /// The first that met the node while it ran.
    ///
    /// # Panics
    /// Where one of its threads did.
    pub fn stop(&mut self) -> io::Result<Truth> {
        for (stop, thread) in self.stop.drain(..).rev() {
            // Where it has ended by itself, joining tells why.
            let _ = stop.send(());
            thread.join().expect("the node's threads do not panic")?;
        }
        Ok(self.truth())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Threads end when the channels close; a node that is stopped has none left.
        for (stop, thread) in self.stop.drain(..) {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// Writes so many lines into the first file of each container, as fast as can be, and ends.
///
/// # Errors
/// Where files cannot be written.
pub fn fill(
    pods: &Path,
    names: Vec<ContainerName>,
    lines: &Lines,
    seed: u64,
    each: u64,
) -> io::Result<Truth> {
    const BATCH: u64 = 1000;
    let fill = |(number, name): (usize, ContainerName)| {
        let streams = stream_ids(number);
        let mut container = Container::start(pods, name, lines.clone(), streams, seed)?;
        for written in (0..each).step_by(BATCH as usize) {
            container.write(BATCH.min(each - written))?;
        }
        container.complete()?;
        Ok(container.truth().clone())
    };
    names.into_iter().enumerate().map(fill).collect::<io::Result<_>>().map(Truth::new)
}

impl Shared {
    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().clone()
    }

    /// Writes what is due until told to stop.
    fn write(&self, stop: Receiver<()>) -> io::Result<()> {
        let mut last = Instant::now();
        let mut due = 0.0;
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(TICK) {
            let now = Instant::now();
            due += (now - last).as_secs_f64() * self.rate.load(Ordering::Relaxed) as f64;
            last = now;
            let slots = self.slots();
            let running: Vec<_> =
                slots.iter().filter(|slot| !slot.container.lock().ended()).collect();
            let each = (due / running.len().max(1) as f64) as u64;
            if each == 0 {
                continue;
            }
            for slot in &running {
                slot.container.lock().write(each)?;
            }
            due -= (each * running.len() as u64) as f64;
        }
        let complete = |container: &mut Container| match container.ended() {
            true => Ok(()),
            false => container.complete(),
        };
        self.slots().iter().try_for_each(|slot| complete(&mut slot.container.lock()))
    }

    /// Rotates what has become large until told to stop.
    fn rotate(&self, rotation: Rotation, stop: Receiver<()>) -> io::Result<()> {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(rotation.interval) {
            for (number, slot) in self.slots().iter().enumerate() {
                slot.rotate(rotation, number)?;
            }
        }
        Ok(())
    }
}

impl Slot {
    fn rotate(&self, rotation: Rotation, number: usize) -> io::Result<()> {
        let mut rotations = self.rotations.lock();
        let log = {
            let container = self.container.lock();
            let (log, size) = container.log();
            if container.ended() || size < rotation.max_size {
                return Ok(());
            }
            log.to_owned()
        };
        let Rotated { renamed, removed } = match rotate::rotate(&log, rotation.max_files) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            result => result?,
        };
        self.container.lock().removed(&removed);
        // Once, the runtime does not open a new log, and the kubelet renames the old one back.
        if number == 0 && rotations.done == 1 && !std::mem::replace(&mut rotations.taken_back, true)
        {
            thread::sleep(REOPEN);
            return std::fs::rename(&renamed, &log);
        }
        self.container.lock().renamed(renamed);
        rotations.done += 1;
        let asked = Instant::now();
        while self.container.lock().reopening() && asked.elapsed() < REOPEN {
            thread::sleep(TICK);
        }
        let mut container = self.container.lock();
        if container.reopening() { container.reopen() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read as _;

    use fairlead_wire::incarnation::first_line_hash;
    use flate2::read::GzDecoder;

    use super::super::truth::Position;
    use super::*;

    fn name(pod: &str) -> ContainerName {
        ContainerName {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            uid: format!("uid-{pod}"),
            container: "web".to_owned(),
        }
    }

    fn content(path: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = File::open(path).unwrap();
        if path.extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        } else {
            file.read_to_end(&mut bytes).unwrap();
        }
        bytes
    }

    /// The lines that stand in the files of the directory, by what the truth calls them.
    fn standing(directory: &Path, lines: &Lines) -> Vec<(Position, (StreamId, u64))> {
        let mut standing = Vec::new();
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let bytes = content(&path);
            let restart = path.file_name().unwrap().to_str().unwrap();
            let restart = restart.split('.').next().unwrap().parse().unwrap();
            let mut offset = 0;
            let mut first_line = None;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\n").expect("whole lines");
                let first_line = *first_line.get_or_insert_with(|| first_line_hash(line));
                offset += line.len() as u64 + 1;
                let (pod_uid, container) = ("uid-a".into(), "web".into());
                let incarnation =
                    fairlead_wire::Incarnation { pod_uid, container, restart, first_line };
                let fields: Vec<_> = line.splitn(4, |byte| *byte == b' ').collect();
                let (stream, number, rest) = lines.read(fields[3]).expect("untorn");
                assert!(rest.is_empty());
                assert_eq!(fields[1] == b"stderr", stream % 2 == 1);
                assert_eq!(fields[2] == b"P", lines.partial(stream, number));
                standing.push((Position { incarnation, offset }, (stream, number)));
            }
        }
        standing
    }

    #[test]
    fn what_stands_in_the_files_is_what_the_truth_says() {
        let pods = tempfile::tempdir().unwrap();
        let lines = Lines::new(1);
        let rotation =
            Rotation { max_size: 256 * 1024, max_files: 3, interval: Duration::from_millis(1010) };
        let mut node = Node::start(pods.path().to_owned(), lines.clone(), 1, rotation);
        node.run(name("a")).unwrap();
        node.rate(20_000);
        let directory = pods.path().join("shop_a_uid-a/web");
        // Until files were deleted and the container was restarted.
        let deleted = || node.truth().containers()[0].files.iter().any(|file| file.deleted);
        while !deleted() {
            thread::sleep(TICK);
        }
        node.restart(0).unwrap();
        let files = node.truth().containers()[0].files.len();
        while node.truth().containers()[0].files.len() == files {
            thread::sleep(TICK);
        }
        let truth = node.stop().unwrap();

        let held: BTreeMap<_, _> = truth
            .held()
            .into_iter()
            .map(|(line, (incarnation, offset))| (line, Position { incarnation, offset }))
            .collect();
        let standing: BTreeMap<_, _> = standing(&directory, &lines)
            .into_iter()
            .map(|(position, line)| (line, position))
            .collect();
        assert!(standing == held, "{} lines stand, {} should", standing.len(), held.len());
        let sizes: u64 =
            directory.read_dir().unwrap().map(|e| content(&e.unwrap().path()).len() as u64).sum();
        let files = &truth.containers()[0].files;
        assert_eq!(
            sizes,
            files.iter().filter(|file| !file.deleted).map(|file| file.size).sum::<u64>()
        );
        assert!(truth.lines() > held.len() as u64);
        // One for each rotation, one for each start.
        assert_eq!(files.len() as u64, node.rotations(0) + 2);
    }

    #[test]
    fn a_pod_that_ends_leaves_nothing() {
        let pods = tempfile::tempdir().unwrap();
        let mut node = Node::start(pods.path().to_owned(), Lines::new(1), 1, Rotation::DEFAULT);
        node.run(name("a")).unwrap();
        node.rate(1000);
        while node.truth().lines() < 10 {
            thread::sleep(TICK);
        }
        node.remove(0).unwrap();
        let truth = node.stop().unwrap();
        assert_eq!(pods.path().read_dir().unwrap().count(), 0);
        assert!(truth.held().is_empty() && truth.lines() >= 10);
    }
}
