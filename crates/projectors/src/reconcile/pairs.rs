//! Two sorted lists, side by side.

use std::cmp::Ordering;

/// What stands in one place of two lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pair<E, F> {
    /// It is in both.
    Both(E, F),
    /// It is expected, and not there.
    Missing(E),
    /// It is there, and not expected.
    Extra(F),
}

/// Goes through two lists that are sorted by what `order` compares, without doubles.
pub(super) fn pairs<E, F>(
    expected: impl IntoIterator<Item = E>,
    found: impl IntoIterator<Item = F>,
    order: impl Fn(&E, &F) -> Ordering,
) -> impl Iterator<Item = Pair<E, F>> {
    let mut expected = expected.into_iter().peekable();
    let mut found = found.into_iter().peekable();
    std::iter::from_fn(move || {
        let which = match (expected.peek(), found.peek()) {
            (Some(e), Some(f)) => order(e, f),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match which {
            Ordering::Less => expected.next().map(Pair::Missing),
            Ordering::Equal => expected.next().zip(found.next()).map(|(e, f)| Pair::Both(e, f)),
            Ordering::Greater => found.next().map(Pair::Extra),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_of_both_lists_comes_once_and_in_order() {
        let found: Vec<_> = pairs([1, 2, 4], [2, 3, 5], Ord::cmp).collect();
        let expected =
            [Pair::Missing(1), Pair::Both(2, 2), Pair::Extra(3), Pair::Missing(4), Pair::Extra(5)];
        assert_eq!(found, expected);
        assert_eq!(pairs([0_u8; 0], [0_u8; 0], Ord::cmp).count(), 0);
    }
}
