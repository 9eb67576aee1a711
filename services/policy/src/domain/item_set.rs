//! Sets of items, as wide as the catalogue: sector databases bring items of their own.

use fixedbitset::FixedBitSet;

/// A set of items, by their places in the catalogue.
#[derive(Clone, Debug, Default)]
pub struct ItemSet(FixedBitSet);

impl ItemSet {
    /// Whether the item at a place is in it; nothing is where there is no place.
    #[must_use]
    pub fn has(&self, place: Option<usize>) -> bool {
        place.is_some_and(|place| self.0.contains(place))
    }

    /// Whether it has no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// How many items it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.count_ones(..)
    }

    /// How many items are in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> usize {
        self.0.intersection_count(&other.0)
    }

    /// The items that are in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = self.0.clone();
        both.intersect_with(&other.0);
        Self(both)
    }

    /// The places of its items, in their order.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.ones()
    }
}

/// Two sets are equal where they have the same items, however wide they are.
impl PartialEq for ItemSet {
    fn eq(&self, other: &Self) -> bool {
        self.0.ones().eq(other.0.ones())
    }
}

impl Eq for ItemSet {}

impl FromIterator<usize> for ItemSet {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Self {
        Self(places.into_iter().collect())
    }
}
