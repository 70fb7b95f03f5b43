//! Generations of a program's keys: API key, identity, template and conversion secret. All of them follow
//! from the deployment's secret, so a key that proves itself was handed out by us; what has to be
//! known is only which were taken back.

use std::collections::BTreeSet;

/// Which generations of a program's keys are revoked. The first is 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generations {
    revoked: BTreeSet<u32>,
}

impl Generations {
    pub fn revoke(&mut self, generation: u32) {
        self.revoked.insert(generation);
    }

    pub fn is_revoked(&self, generation: u32) -> bool {
        self.revoked.contains(&generation)
    }

    /// The two that identity tokens are verified with: the one in use, and the one to change to,
    /// which is thus good everywhere before it is handed out.
    pub fn live(&self) -> [u32; 2] {
        let mut live = (1..).filter(|generation| !self.is_revoked(*generation));
        let current = live.next().unwrap_or(u32::MAX);
        [current, live.next().unwrap_or(u32::MAX)]
    }

    /// The oldest that is not revoked.
    pub fn current(&self) -> u32 {
        let [current, _] = self.live();
        current
    }

    /// The one to change to.
    pub fn next(&self) -> u32 {
        let [_, next] = self.live();
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_stands_is_in_use_and_the_next_that_stands_may_follow() {
        for (revoked, current, next) in [
            (&[][..], 1, 2),
            (&[1], 2, 3),
            (&[2], 1, 3),
            (&[1, 2], 3, 4),
            (&[2, 1, 2], 3, 4),
            (&[1, 3], 2, 4),
            (&[7], 1, 2),
        ] {
            let mut generations = Generations::default();
            for generation in revoked {
                generations.revoke(*generation);
            }
            assert_eq!([generations.current(), generations.next()], [current, next], "{revoked:?}");
            assert!(revoked.iter().all(|generation| generations.is_revoked(*generation)));
            assert!(!generations.is_revoked(current) && !generations.is_revoked(next));
        }
    }
}
