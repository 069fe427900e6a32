//! Natural numbers of any size, as limbs of 64 bits, least first: what a variance needs once, when
//! it is asked for.

/// The product.
pub(crate) fn product(a: &[u64], b: &[u64]) -> Vec<u64> {
    let mut product = vec![0; a.len() + b.len()];
    for (start, x) in a.iter().enumerate() {
        let mut carry = 0;
        for (index, y) in b.iter().enumerate() {
            let place = &mut product[start + index];
            // At most (2^64 - 1)^2 + 2 (2^64 - 1), which is 2^128 - 1.
            let sum = u128::from(*x) * u128::from(*y) + u128::from(*place) + carry;
            (*place, carry) = (sum as u64, sum >> 64);
        }
        product[start + b.len()] = carry as u64;
    }
    product
}

/// The number times 2^`shift`.
pub(crate) fn shifted(number: &[u64], shift: u32) -> Vec<u64> {
    let (whole, bits) = ((shift / 64) as usize, shift % 64);
    let mut shifted = vec![0; whole];
    let mut below = 0u64;
    for limb in number.iter().chain([&0]) {
        let pair = u128::from(*limb) << 64 | u128::from(below);
        shifted.push((pair << bits >> 64) as u64);
        below = *limb;
    }
    shifted
}

/// `a` - `b`, or zero where `b` is the greater.
pub(crate) fn difference(mut a: Vec<u64>, b: &[u64]) -> Vec<u64> {
    a.resize(a.len().max(b.len()), 0);
    let mut borrow = false;
    for (index, limb) in a.iter_mut().enumerate() {
        let (partial, first) = limb.overflowing_sub(b.get(index).copied().unwrap_or(0));
        let (total, second) = partial.overflowing_sub(u64::from(borrow));
        (*limb, borrow) = (total, first | second);
    }
    if borrow {
        a.fill(0);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_shifts_and_differences_agree_with_128_bits() {
        let split = |n: u128| [n as u64, (n >> 64) as u64];
        let (a, b) = (0xfedc_ba98_7654_3210_u64, 0x0123_4567_89ab_cdef_u64);
        let wide = u128::from(a) * u128::from(b);
        assert_eq!(product(&[a], &[b]), split(wide));
        assert_eq!(product(&[u64::MAX, u64::MAX], &[u64::MAX]), [1, u64::MAX, u64::MAX - 1]);
        assert_eq!(shifted(&[a], 60), split(u128::from(a) << 60));
        assert_eq!(shifted(&[1], 64), [0, 1, 0]);
        assert_eq!(difference(split(wide).to_vec(), &[a]), split(wide - u128::from(a)));
        assert_eq!(difference(vec![1], &[0, 1]), [0, 0]);
    }
}
