//! Deltas: how a pack says what an object has in common with another (git's gitformat-pack(5), "Deltified
//! representation"), and the objects that were needed for that.

/// Most bytes of objects that are kept for the next delta, in one thread.
const KEPT: usize = 16 << 20;

/// What `delta` makes of `base`. `None` where it does not go with it, or makes more than `most` bytes.
pub(super) fn apply(base: &[u8], delta: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut rest = delta;
    if size(&mut rest)? != base.len() {
        return None;
    }
    let length = size(&mut rest)?;
    if length > most {
        return None;
    }
    let mut made = Vec::with_capacity(length);
    while let Some((&instruction, after)) = rest.split_first() {
        rest = after;
        let piece = if instruction & 0x80 == 0 {
            // So many bytes follow. None is reserved, and of no use.
            let (piece, after) =
                rest.split_at_checked(instruction.into()).filter(|(piece, _)| !piece.is_empty())?;
            rest = after;
            piece
        } else {
            let start = number(&mut rest, instruction, 4)?;
            let length = number(&mut rest, instruction >> 4, 3)?;
            let length = if length == 0 { 0x1_0000 } else { length };
            base.get(start..start.checked_add(length)?)?
        };
        if piece.len() > length - made.len() {
            return None;
        }
        made.extend_from_slice(piece);
    }
    (made.len() == length).then_some(made)
}

/// How many bytes the delta makes that begins so. `None` where that is not all of the beginning.
pub(super) fn made(delta: &[u8]) -> Option<u64> {
    let mut rest = delta;
    size(&mut rest)?;
    size(&mut rest).map(|size| size as u64)
}

/// A size: seven bits in each byte, the lowest first; the last one has its highest bit not set.
fn size(rest: &mut &[u8]) -> Option<usize> {
    let mut size = 0_u64;
    for shift in (0..63).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        size |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(size).ok();
        }
    }
    None
}

/// A number of at most `bytes` bytes, the lowest first, of which only those are there whose bit is set in `present`.
fn number(rest: &mut &[u8], present: u8, bytes: u32) -> Option<usize> {
    let mut number = 0_usize;
    for index in (0..bytes).filter(|index| present & (1 << index) != 0) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        number |= usize::from(byte) << (8 * index);
    }
    Some(number)
}

/// Objects that deltas rest on, the one that was needed last at the end.
#[derive(Default)]
pub(super) struct Bases {
    kept: Vec<(Place, Vec<u8>)>,
    bytes: usize,
}

/// A pack, and where in it an object begins.
pub(super) type Place = (usize, u64);

impl Bases {
    /// Takes out the object at `place`.
    pub(super) fn take(&mut self, place: Place) -> Option<Vec<u8>> {
        let at = self.kept.iter().position(|(kept, _)| *kept == place)?;
        let (_, bytes) = self.kept.remove(at);
        self.bytes -= bytes.len();
        Some(bytes)
    }

    /// Keeps the object at `place`, in the place of those that were not needed for longest.
    pub(super) fn keep(&mut self, place: Place, bytes: Vec<u8>) {
        if bytes.len() > KEPT {
            return;
        }
        self.bytes += bytes.len();
        self.kept.push((place, bytes));
        while self.bytes > KEPT {
            self.bytes -= self.kept.remove(0).1.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_copies_and_adds() {
        // 11 bytes become 8: six from the sixth on, then two new ones.
        let delta = b"\x0b\x08\x91\x05\x06\x02!?";
        assert_eq!(apply(b"hello world", delta, 8).unwrap(), b" world!?");
        assert_eq!(apply(b"hello world", delta, 7), None, "it makes more than is wanted");
        assert_eq!(apply(b"hello", delta, 8), None, "it is for another base");
    }

    #[test]
    fn what_does_not_go_with_its_base_makes_nothing() {
        for (why, delta) in [
            ("the copy ends beyond the base", &b"\x03\x04\x91\x01\x04"[..]),
            ("the copy begins beyond the base", b"\x03\x01\x91\x04\x01"),
            ("bytes are missing", b"\x03\x02\x02a"),
            ("a number is missing", b"\x03\x02\x91\x01"),
            ("it makes less than it says", b"\x03\x02\x01a"),
            ("it makes more than it says", b"\x03\x01\x02ab"),
            ("an instruction is reserved", b"\x03\x00\x00"),
            ("a size never ends", b"\x83\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"),
            ("it is empty", b""),
        ] {
            assert_eq!(apply(b"abc", delta, 100), None, "{why}");
        }
    }

    #[test]
    fn a_copy_without_a_length_is_of_64_kilobytes() {
        let base = vec![7; 0x1_0000];
        assert_eq!(apply(&base, b"\x80\x80\x04\x80\x80\x04\x80", base.len()).unwrap(), base);
    }

    #[test]
    fn what_was_not_needed_for_longest_goes_first() {
        let mut bases = Bases::default();
        for offset in 0..3 {
            bases.keep((0, offset), vec![0; KEPT / 2]);
        }
        assert!(bases.take((0, 0)).is_none());
        assert!(bases.take((0, 1)).is_some());
        assert!(bases.take((0, 1)).is_none(), "it was taken out");
        bases.keep((0, 3), vec![0; KEPT + 1]);
        assert!(bases.take((0, 2)).is_some(), "one that is too large makes no room for itself");
    }
}
