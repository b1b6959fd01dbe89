//! Objects of one kind in packs, and large blobs: the short way for most of what a first deploy reads.
//!
//! gix reads any object, as a whole and through a map of the pack. Here objects and the deltas they are made of are inflated
//! in one go, large ones piece by piece, and a map is let go of after some megabytes, so that memory does not grow with
//! what is read. Whatever is not as expected is not found here: gix then reads it, or says what is wrong with it. What is found
//! is as hostile as anything else, and checked against its id.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use gix::ObjectId;
use gix::objs::Kind;
use gix::odb::pack;
use gix::odb::pack::data::Entry;
use gix::odb::pack::data::entry::Header;
use libdeflater::Decompressor;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::delta::{self, Bases};

/// Blobs of more bytes than this are read piece by piece.
pub(super) const LARGE: u64 = 4 << 20;
/// Most bytes of an object that is put together from deltas here.
const COMPOSED: usize = 32 << 20;
/// Bytes of one piece.
const PIECE: usize = 256 << 10;
/// Bytes that are read of one map of a pack before it is let go of.
const MAPPED: usize = 16 << 20;
/// Bytes at the beginning of a delta that hold both of its sizes.
const SIZES: usize = 18;
/// Base two logarithm of the window that zlib's format allows (RFC 1950).
const WINDOW_BITS: u8 = 15;

/// The object database of one repository, with those that it borrows from.
pub(super) struct Packs {
    kind: gix::hash::Kind,
    directories: Vec<PathBuf>,
    indices: OnceLock<Vec<Index>>,
}

struct Index {
    file: pack::index::File,
    pack: PathBuf,
}

/// What is found of an object.
pub(super) enum Found<'r> {
    /// All of its bytes.
    Whole(&'r [u8]),
    /// It is a large blob, and this is where it begins.
    Large(Box<Large>),
}

/// A large blob.
pub(super) struct Large {
    /// Its size in bytes.
    pub(super) size: u64,
    from: BufReader<File>,
    inflate: Inflate,
    /// What was inflated already, as it came with the header.
    begun: Vec<u8>,
}

impl Packs {
    pub(super) fn new(repo: &gix::Repository) -> Self {
        let store = repo.objects.store_ref();
        let mut directories = vec![store.path().to_owned()];
        directories.extend(store.alternate_db_paths().unwrap_or_default());
        Self { kind: repo.object_hash(), directories, indices: OnceLock::new() }
    }

    fn indices(&self) -> &[Index] {
        self.indices.get_or_init(|| {
            let packs = self.directories.iter().filter_map(|path| std::fs::read_dir(path.join("pack")).ok());
            let paths = packs.flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let indices = paths.filter(|path| path.extension() == Some(OsStr::new("idx")));
            let open = |path: PathBuf| {
                let file = pack::index::File::at(&path, self.kind).ok()?;
                Some(Index { file, pack: path.with_extension("pack") })
            };
            indices.filter_map(open).collect()
        })
    }

    /// A reader of objects of `kind` for one thread.
    pub(super) fn reader(&self, kind: Kind) -> PackReader<'_> {
        let maps = self.indices().iter().map(|_| None).collect();
        let header = match kind {
            Kind::Tree => Header::Tree,
            Kind::Blob => Header::Blob,
            Kind::Commit => Header::Commit,
            Kind::Tag => Header::Tag,
        };
        PackReader {
            packs: self,
            header,
            maps,
            last: 0,
            looked_up: None,
            inflate: Decompressor::new(),
            begin: Inflate::new(true, WINDOW_BITS),
            whole: Buffer::default(),
            delta: Buffer::default(),
            bases: Bases::default(),
        }
    }
}

/// Reads from packs, in one thread.
pub(super) struct PackReader<'p> {
    packs: &'p Packs,
    /// What an object of the kind that is read begins with where it is no delta.
    header: Header,
    /// For each index, the map of its pack.
    maps: Vec<Option<Map>>,
    /// The index that knew the last object, and likely knows the next.
    last: usize,
    /// The last object that was looked for, and where it is.
    looked_up: Option<(ObjectId, (usize, u64))>,
    inflate: Decompressor,
    /// Inflates what no more than the beginning is wanted of.
    begin: Inflate,
    /// The object that was read last.
    whole: Buffer,
    delta: Buffer,
    bases: Bases,
}

struct Map {
    file: pack::data::File,
    /// Bytes that were read of it.
    read: usize,
}

impl Map {
    /// Inflates what `entry` stores into `bytes`, which has to be filled.
    fn inflate(&mut self, entry: &Entry, inflate: &mut Decompressor, bytes: &mut [u8]) -> Option<()> {
        self.read += bytes.len();
        let stored = self.stored(entry)?;
        (inflate.zlib_decompress(stored, bytes).ok()? == bytes.len()).then_some(())
    }

    /// The pack from where the bytes of `entry` begin.
    fn stored(&self, entry: &Entry) -> Option<&[u8]> {
        let end = self.file.pack_end() as u64;
        self.file.entry_slice(entry.data_offset.min(end)..end)
    }
}

/// Bytes that are filled again and again, and not cleared in between.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Buffer {
    fn of(&mut self, size: usize) -> &mut [u8] {
        if self.0.len() < size {
            self.0.resize(size, 0);
        }
        &mut self.0[..size]
    }
}

impl PackReader<'_> {
    /// Reads the object `id`, or finds where it is if it is a large blob. `None` where gix has to look.
    pub(super) fn find(&mut self, id: ObjectId) -> Option<Found<'_>> {
        let Some((at, offset)) = self.look_up(id) else {
            let large = if self.header == Header::Blob { self.loose(id) } else { None };
            return large.map(|large| Found::Large(Box::new(large)));
        };
        if self.maps[at].as_ref().is_some_and(|map| map.read > MAPPED) {
            self.maps[at] = None;
        }
        let map = self.map(at)?;
        let entry = map.file.entry(offset).ok()?;
        match entry.header {
            header if header == self.header && entry.decompressed_size <= LARGE => {
                let whole = self.whole.of(usize::try_from(entry.decompressed_size).ok()?);
                self.maps[at].as_mut()?.inflate(&entry, &mut self.inflate, whole)?;
                Some(Found::Whole(whole))
            }
            Header::Blob if self.header == Header::Blob => {
                let mut file = File::open(&self.packs.indices()[at].pack).ok()?;
                file.seek(SeekFrom::Start(entry.data_offset)).ok()?;
                Some(Found::Large(Box::new(Large::new(file, entry.decompressed_size))))
            }
            Header::OfsDelta { .. } => {
                self.whole = Buffer(self.compose(at, entry)?);
                Some(Found::Whole(&self.whole.0))
            }
            _ => None,
        }
    }

    /// Size in bytes that a pack announces for the object `id`.
    pub(super) fn size(&mut self, id: ObjectId) -> Option<u64> {
        let (at, offset) = self.look_up(id)?;
        let entry = self.map(at)?.file.entry(offset).ok()?;
        match entry.header {
            header if header == self.header => Some(entry.decompressed_size),
            Header::OfsDelta { .. } => {
                let stored = self.maps[at].as_ref()?.stored(&entry)?;
                let mut sizes = [0; SIZES];
                self.begin.reset(true);
                self.begin.decompress(stored, &mut sizes, InflateFlush::NoFlush).ok()?;
                let length = usize::try_from(self.begin.total_out()).ok()?;
                delta::made(&sizes[..length])
            }
            _ => None,
        }
    }

    /// The pack that the object `id` is in as a delta, where the object begins that it rests on in the end, and where the
    /// delta does. `None` for what is no delta.
    pub(super) fn root(&mut self, id: ObjectId) -> Option<(usize, u64, u64)> {
        let (at, offset) = self.look_up(id)?;
        let file = &self.map(at)?.file;
        let mut entry = file.entry(offset).ok()?;
        while let Header::OfsDelta { base_distance } = entry.header {
            entry = file.entry(entry.checked_base_pack_offset(base_distance)?).ok()?;
        }
        (entry.pack_offset() != offset).then(|| (at, entry.pack_offset(), offset))
    }

    /// Puts together the object that `entry` of the pack `at`, a delta, stands for.
    fn compose(&mut self, at: usize, mut entry: Entry) -> Option<Vec<u8>> {
        let mut deltas = Vec::new();
        let mut base = loop {
            let place = (at, entry.pack_offset());
            if let Some(base) = self.bases.take(place) {
                break (place, base);
            }
            let size = usize::try_from(entry.decompressed_size).ok().filter(|size| *size <= COMPOSED)?;
            match entry.header {
                header if header == self.header => {
                    let mut bytes = vec![0; size];
                    self.maps[at].as_mut()?.inflate(&entry, &mut self.inflate, &mut bytes)?;
                    break (place, bytes);
                }
                // It lies before the delta, so that there is an end to it.
                Header::OfsDelta { base_distance } => {
                    let offset = entry.checked_base_pack_offset(base_distance)?;
                    deltas.push((entry, size));
                    entry = self.maps[at].as_ref()?.file.entry(offset).ok()?;
                }
                _ => return None,
            }
        };
        for (entry, size) in deltas.into_iter().rev() {
            let delta = self.delta.of(size);
            self.maps[at].as_mut()?.inflate(&entry, &mut self.inflate, delta)?;
            let made = delta::apply(&base.1, delta, COMPOSED)?;
            let (place, bytes) = std::mem::replace(&mut base, ((at, entry.pack_offset()), made));
            self.bases.keep(place, bytes);
        }
        Some(base.1)
    }

    /// The map of the pack `at`.
    fn map(&mut self, at: usize) -> Option<&Map> {
        let Self { packs, maps, .. } = self;
        if maps[at].is_none() {
            let file = pack::data::File::at(&packs.indices()[at].pack, packs.kind).ok()?;
            maps[at] = Some(Map { file, read: 0 });
        }
        maps[at].as_ref()
    }

    /// The index that knows `id`, and where in its pack it is.
    fn look_up(&mut self, id: ObjectId) -> Option<(usize, u64)> {
        if let Some((_, place)) = self.looked_up.filter(|(last, _)| *last == id) {
            return Some(place);
        }
        let indices = self.packs.indices();
        let order = (self.last..indices.len()).chain(0..self.last);
        let mut places = order.filter_map(|at| Some((at, indices.get(at)?.file.lookup(id)?)));
        let (at, entry) = places.next()?;
        let place = (at, indices[at].file.pack_offset_at_index(entry));
        self.last = at;
        self.looked_up = Some((id, place));
        Some(place)
    }

    /// The loose object `id`, if it is a large blob.
    fn loose(&self, id: ObjectId) -> Option<Large> {
        let hex = id.to_string();
        let path = Path::new(&hex[..2]).join(&hex[2..]);
        let file = self.packs.directories.iter().find_map(|objects| File::open(objects.join(&path)).ok())?;
        Large::loose(file)
    }
}

impl Large {
    fn new(file: File, size: u64) -> Self {
        let from = BufReader::with_capacity(PIECE, file);
        Self { size, from, inflate: Inflate::new(true, WINDOW_BITS), begun: Vec::new() }
    }

    /// Reads the header of the loose object `file`.
    fn loose(file: File) -> Option<Self> {
        let mut large = Self::new(file, 0);
        let mut begun = vec![0; 64];
        let length = large.next(&mut begun).ok()?;
        begun.truncate(length);
        let (kind, size, header) = gix::objs::decode::loose_header(&begun).ok()?;
        if kind != gix::objs::Kind::Blob || size <= LARGE {
            return None;
        }
        begun.drain(..header);
        Some(Self { size, begun, ..large })
    }

    /// Inflates the next piece into `piece`, and returns how much of it was filled: nothing at the end.
    fn next(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        let before = self.inflate.total_out();
        loop {
            let input = self.from.fill_buf()?;
            let is_end = input.is_empty();
            let taken = self.inflate.total_in();
            let status = self.inflate.decompress(input, piece, InflateFlush::NoFlush);
            let taken = usize::try_from(self.inflate.total_in() - taken).unwrap_or(usize::MAX);
            self.from.consume(taken);
            let filled = usize::try_from(self.inflate.total_out() - before).unwrap_or(usize::MAX);
            match status {
                Ok(Status::StreamEnd) => return Ok(filled),
                Ok(_) if filled > 0 => return Ok(filled),
                Ok(_) if is_end => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Hands the blob to `sink`, piece by piece. False where the bytes are not as many as they should be, or cannot be
    /// read.
    ///
    /// # Errors
    /// Those of `sink`.
    pub(super) fn read<E>(mut self, mut sink: impl FnMut(&[u8]) -> Result<(), E>) -> Result<bool, E> {
        let mut left = self.size;
        let mut piece = std::mem::take(&mut self.begun);
        let mut length = piece.len();
        piece.resize(PIECE, 0);
        loop {
            match left.checked_sub(length as u64) {
                Some(rest) => left = rest,
                None => return Ok(false),
            }
            if length > 0 {
                sink(&piece[..length])?;
            }
            length = match self.next(&mut piece) {
                Ok(0) => return Ok(left == 0),
                Ok(length) => length,
                Err(_) => return Ok(false),
            };
        }
    }
}
