//! The uncompressed content of a log file, at any offset.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;

/// How much is decompressed at once.
const PIECE: usize = 64 * 1024;

/// A file as the system names it while it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inode {
    /// Its file system.
    pub device: u64,
    /// Its number there.
    pub number: u64,
}

impl Inode {
    /// Of a file of which this is known.
    #[must_use]
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// An open log file.
#[derive(Debug)]
pub enum Content {
    /// As it was written.
    Plain(File),
    /// Rotated away and compressed: complete.
    Gzip(Box<Gzip>),
}

impl Content {
    /// Opens a file.
    ///
    /// # Errors
    /// As the system has it.
    pub fn open(path: &Path, compressed: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(if compressed { Self::Gzip(Box::new(Gzip::new(file))) } else { Self::Plain(file) })
    }

    /// Reads what stands at this offset; 0 at the end. Reading on is cheap, going back in what is
    /// compressed is not.
    ///
    /// # Errors
    /// As the system has it, or where it cannot be decompressed.
    pub fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_at(into, offset),
            Self::Gzip(gzip) => gzip.read_at(offset, into),
        }
    }

    /// How many bytes there are by now. For what is compressed it is what its trailer says.
    ///
    /// # Errors
    /// As the system has it.
    pub fn size(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Gzip(gzip) => gzip.size(),
        }
    }

    /// Which file this is, and whether it still has a name.
    ///
    /// # Errors
    /// As the system has it.
    pub fn inode(&self) -> io::Result<(Inode, bool)> {
        let metadata = self.file().metadata()?;
        Ok((Inode::of(&metadata), metadata.nlink() > 0))
    }

    /// The file as it is on disk.
    #[must_use]
    pub const fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(gzip) => &gzip.file,
        }
    }

    /// The same file once more, to be read elsewhere.
    ///
    /// # Errors
    /// As the system has it.
    pub fn again(&self) -> io::Result<Self> {
        let file = self.file().try_clone()?;
        Ok(match self {
            Self::Plain(_) => Self::Plain(file),
            Self::Gzip(_) => Self::Gzip(Box::new(Gzip::new(file))),
        })
    }

    /// Whether it will not grow.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }
}

/// A compressed file, read from its beginning to its end, with the last piece at hand.
#[derive(Debug)]
pub struct Gzip {
    file: File,
    decoder: Option<MultiGzDecoder<BufReader<File>>>,
    piece: Vec<u8>,
    /// Offset of the piece.
    at: u64,
}

impl Gzip {
    const fn new(file: File) -> Self {
        Self { file, decoder: None, piece: Vec::new(), at: 0 }
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if self.decoder.is_none() || offset < self.at {
            let mut file = self.file.try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            self.decoder = Some(MultiGzDecoder::new(BufReader::with_capacity(PIECE / 2, file)));
            self.piece.clear();
            self.at = 0;
        }
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        loop {
            let there = self.at + self.piece.len() as u64;
            let passed = offset.min(there) - self.at;
            self.piece.drain(..usize::try_from(passed).expect("within the piece"));
            self.at += passed;
            if self.at == offset && self.piece.len() >= into.len() {
                break;
            }
            let end = self.piece.len();
            self.piece.resize(end + PIECE, 0);
            let read = decoder.read(&mut self.piece[end..]);
            self.piece.truncate(end + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    // One that failed says next that there is nothing.
                    self.decoder = None;
                    return Err(error);
                }
            }
        }
        if self.at < offset {
            return Ok(0);
        }
        let read = self.piece.len().min(into.len());
        into[..read].copy_from_slice(&self.piece[..read]);
        Ok(read)
    }

    /// RFC 1952: the last four bytes are the length modulo 2^32.
    fn size(&self) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        let mut trailer = [0; 4];
        self.file.read_exact_at(&mut trailer, length.saturating_sub(4))?;
        Ok(u64::from(u32::from_le_bytes(trailer)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn compressed_content_is_read_at_any_offset() {
        let text: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log.20260101-000000.gz");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&text).unwrap();
        std::fs::write(&path, encoder.finish().unwrap()).unwrap();
        let mut content = Content::open(&path, true).unwrap();
        assert_eq!(content.size().unwrap(), text.len() as u64);
        let mut piece = vec![0; 100_000];
        for at in [0, 0, 99_999, 150_000, 1_000_000, 20, text.len() - 5, text.len(), 0] {
            let read = content.read_at(at as u64, &mut piece).unwrap();
            assert_eq!(read, (text.len() - at).min(piece.len()), "at {at}");
            assert_eq!(piece[..read], text[at..at + read], "at {at}");
        }
        assert_eq!(content.read_at(text.len() as u64 + 1, &mut piece).unwrap(), 0);
    }

    #[test]
    fn damaged_content_is_an_error_and_not_an_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log.20260101-000000.gz");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[7; 100_000]).unwrap();
        let mut bytes = encoder.finish().unwrap();
        bytes.truncate(bytes.len() - 20);
        std::fs::write(&path, bytes).unwrap();
        let mut content = Content::open(&path, true).unwrap();
        assert!(content.read_at(0, &mut vec![0; 200_000]).is_err());
    }
}
