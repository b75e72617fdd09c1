//! The folder that belongs to one running `fairlead up`.

use std::{
    env, fs,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

/// The file that is locked. Its presence tells a folder of ours from any other.
const LOCK: &str = "lock";

/// A locked state folder; the lock ends with the value, and with the process.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// It cannot be made or written.
    #[error("{}: {source}; name another folder with --state-dir", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another one runs.
    #[error("{} is in use by {holder}; stop it, or name another folder with --state-dir", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// It holds files of somebody else.
    #[error("{} holds other files and was not made by fairlead; name an empty or a new folder with --state-dir", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// There is no home.
    #[error("neither XDG_STATE_HOME nor HOME is set; name a folder with --state-dir")]
    NoHome,
}

/// `$XDG_STATE_HOME/fairlead`, else `~/.local/state/fairlead` (XDG Base Directory Specification).
///
/// # Errors
/// When neither variable is set to an absolute path.
pub(crate) fn default_path() -> Result<PathBuf, StateError> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("fairlead"))
        .ok_or(StateError::NoHome)
}

impl State {
    /// Makes the folder, for this user alone, and locks it.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it: then says which.
    pub(crate) fn lock(path: PathBuf) -> Result<Self, StateError> {
        let failed = |source| StateError::Io { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(failed)?;
        // What earlier pods left is removed from here, so it must not be a folder with a use of its own.
        let mut entries = fs::read_dir(&path).map_err(failed)?;
        if !path.join(LOCK).exists() && entries.next().is_some() {
            return Err(StateError::Foreign { path });
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(failed)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(StateError::Locked { path, holder: holder.trim().to_owned() });
            }
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        let holder = format!(
            "fairlead up, process {}, since {:.0}\n",
            std::process::id(),
            jiff::Timestamp::now()
        );
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(holder.as_bytes()))
            .map_err(failed)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the kubeconfig, readable by this user alone, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_kubeconfig(&self, text: &str) -> Result<PathBuf, StateError> {
        self.write("kubeconfig", text)
    }

    /// Writes a file with secrets, readable by this user alone, and tells where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, StateError> {
        let path = self.path.join(name);
        let failed = |source| StateError::Io { path: path.clone(), source };
        // A file that is there keeps its mode, so it is replaced, in one step.
        let new = self.path.join(format!("{name}.new"));
        let _ = fs::remove_file(&new);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| fs::rename(&new, &path))
            .map_err(failed)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_says_who_holds_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let held = State::lock(path.clone()).unwrap();
        let error = State::lock(path.clone()).unwrap_err().to_string();
        let expected = format!(
            "{} is in use by fairlead up, process {}, since ",
            path.display(),
            std::process::id()
        );
        assert!(error.starts_with(&expected), "{error}");
        drop(held);
        State::lock(path).unwrap();
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("pods")).unwrap();
        let error = State::lock(dir.path().to_owned()).unwrap_err().to_string();
        assert!(error.ends_with("name an empty or a new folder with --state-dir"), "{error}");
        assert!(dir.path().join("pods").exists() && !dir.path().join("lock").exists());
    }

    #[test]
    fn an_open_folder_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        State::lock(dir.path().to_owned()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_kubeconfig_is_for_this_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::lock(dir.path().to_owned()).unwrap();
        fs::write(dir.path().join("kubeconfig"), "old").unwrap();
        fs::set_permissions(dir.path().join("kubeconfig"), fs::Permissions::from_mode(0o644))
            .unwrap();
        let path = state.write_kubeconfig("new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
