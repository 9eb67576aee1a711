//! Cursors: the place after a change, with a tag that only this database can make (rules SRC-5, SRC-7).

/// Bytes of the tag.
const TAG: usize = 8;

/// Makes and reads the cursors of one database.
#[derive(Clone)]
pub(crate) struct Cursors {
    key: [u8; 32],
}

impl Cursors {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The cursor after the change of this sequence; 0 is before all.
    pub(crate) fn after(&self, sequence: u64) -> String {
        format!("{sequence:x}.{}", self.tag(sequence))
    }

    /// The sequence of a cursor; none when it is not one of this database.
    pub(crate) fn read(&self, cursor: &str) -> Option<u64> {
        let (sequence, _) = cursor.split_once('.')?;
        let sequence = u64::from_str_radix(sequence, 16).ok()?;
        // There is one way to write a cursor.
        (cursor == self.after(sequence)).then_some(sequence)
    }

    /// Of a fixed number of bytes, so a digest behind the key is as good as a keyed one.
    fn tag(&self, sequence: u64) -> String {
        let digest = tlog::digest(&[self.key.as_slice(), &sequence.to_be_bytes()].concat());
        digest.iter().take(TAG).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_cursors_are_read() {
        let (ours, others) = (Cursors::new([1; 32]), Cursors::new([2; 32]));
        for sequence in [0, 1, 255, u64::MAX] {
            assert_eq!(ours.read(&ours.after(sequence)), Some(sequence));
            assert_eq!(ours.read(&others.after(sequence)), None);
        }
        let good = ours.after(10);
        for bad in
            ["", ".", "a", "a.", &good.to_uppercase(), &format!("0{good}"), &format!("{good}0")]
        {
            assert_eq!(ours.read(bad), None, "{bad}");
        }
    }
}
