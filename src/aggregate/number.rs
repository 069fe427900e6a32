//! [`Number`]: what sums, means and ratios take: any number that fits, or none.

/// A number as `N`, or `None` for NULL.
///
/// ```
/// use highwater::aggregate::Number;
/// assert_eq!(Number::<f64>::number(7i32), Some(7.0));
/// assert_eq!(Number::<i64>::number(None::<i32>), None);
/// ```
pub trait Number<N> {
    /// The number.
    fn number(self) -> Option<N>;
}

impl<N, T: Number<N>> Number<N> for Option<T> {
    #[inline]
    fn number(self) -> Option<N> {
        self.and_then(T::number)
    }
}

impl<N, T: Number<N> + Copy> Number<N> for &T {
    #[inline]
    fn number(self) -> Option<N> {
        (*self).number()
    }
}

macro_rules! numbers {
    ($to:ty: $($from:ty)*) => { $(
        impl Number<$to> for $from {
            #[inline]
            fn number(self) -> Option<$to> {
                Some(self as $to)
            }
        }
    )* };
}

numbers!(i64: i64 i32 i16 i8 u32 u16 u8);
// A float takes every number; integers beyond 2^53 are rounded.
numbers!(f64: f64 f32 i128 i64 i32 i16 i8 u128 u64 u32 u16 u8 usize);
