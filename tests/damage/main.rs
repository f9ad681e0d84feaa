//! Damage to a store on disk: what of it is met, what is left, and what it costs to look.
#![allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

/// One test for each of these functions and each kind of store.
#[cfg(test)]
macro_rules! on_each_kind {
    ($($test:ident),+ $(,)?) => {
        mod on_sled {
            $(#[tokio::test]
            async fn $test() {
                super::$test(outlast::store::StoreKind::Sled).await;
            })+
        }

        #[cfg(feature = "redb")]
        mod on_redb {
            $(#[tokio::test]
            async fn $test() {
                super::$test(outlast::store::StoreKind::Redb).await;
            })+
        }
    };
}

#[cfg(test)]
mod costs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod place;
#[cfg(all(test, feature = "cli"))]
mod program;
#[cfg(test)]
mod sweep;
