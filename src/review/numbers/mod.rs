//! Numbers of a sentence and its translation, compared by value.
//!
//! What stands in digits on one side must be on the other side too, in digits or in words. Number words ask for
//! nothing: they are part of too many other expressions.

mod lexicon;
mod quantities;
mod scan;
mod value;

use std::collections::{HashMap, HashSet};

use quantities::{Numbers, Quantity};
use value::Value;

/// Whether a number in digits is missing from the translation, or stands there without being in the source.
pub(super) fn numbers_differ(source: &str, target: &str) -> bool {
    let (mut source, mut target) = (Numbers::of(source), Numbers::of(target));
    remove_equal(&mut source.quantities, &mut target.quantities);
    remove_words(&mut source, &target);
    remove_words(&mut target, &source);
    take_apart(&mut source.quantities);
    take_apart(&mut target.quantities);
    remove_equal(&mut source.quantities, &mut target.quantities);
    remove_words(&mut source, &target);
    remove_words(&mut target, &source);
    let (missing, invented) = (source.quantities, target.quantities);
    // An optional number on both sides is one that changed: A4 is no A5.
    let one_side_is_complete = missing.is_empty() || invented.is_empty();
    !one_side_is_complete || missing.iter().chain(&invented).any(|quantity| !quantity.optional)
}

/// Removes pairs of quantities that are worth the same: surely, or if one of them is worth what the other may be.
fn remove_equal(source: &mut Vec<Quantity>, target: &mut Vec<Quantity>) {
    let likely = |quantity: &Quantity| vec![quantity.value.clone()];
    let possible = |quantity: &Quantity| [std::slice::from_ref(&quantity.value), &quantity.loose].concat();
    remove_pairs(source, target, likely, likely);
    remove_pairs(source, target, likely, possible);
    remove_pairs(source, target, possible, likely);
}

/// Removes pairs of quantities that have one of the given values in common, in order.
fn remove_pairs(
    source: &mut Vec<Quantity>,
    target: &mut Vec<Quantity>,
    of_source: impl Fn(&Quantity) -> Vec<Value>,
    of_target: impl Fn(&Quantity) -> Vec<Value>,
) {
    let mut having: HashMap<Value, Vec<usize>> = HashMap::new();
    for (index, quantity) in target.iter().enumerate().rev() {
        for value in of_target(quantity) {
            having.entry(value).or_default().push(index);
        }
    }
    let mut used = HashSet::new();
    source.retain(|quantity| {
        let pair = of_source(quantity).iter().any(|value| {
            let candidates = having.entry(value.clone()).or_default();
            // One that was used for another of its values is passed over for good.
            std::iter::from_fn(|| candidates.pop()).any(|index| used.insert(index))
        });
        !pair
    });
    let mut index = 0..;
    target.retain(|_| index.next().is_some_and(|index| !used.contains(&index)));
}

/// Removes the quantities that the other side has in words.
fn remove_words(numbers: &mut Numbers, other: &Numbers) {
    let has_date = numbers.has_date;
    numbers.quantities.retain(|Quantity { value, loose, .. }| {
        let in_words = other.words.contains(value) || loose.iter().any(|value| other.words.contains(value));
        !(in_words || has_date && other.months.contains(value))
    });
}

/// Puts the parts of a quantity that has some in its place.
fn take_apart(quantities: &mut Vec<Quantity>) {
    let whole = std::mem::take(quantities);
    quantities.extend(whole.into_iter().flat_map(|quantity| {
        let alone = |value| Quantity { value, loose: Vec::new(), parts: Vec::new(), optional: false };
        if quantity.parts.is_empty() {
            vec![quantity]
        } else {
            quantity.parts.into_iter().map(alone).collect()
        }
    }));
}

#[cfg(test)]
mod tests;
