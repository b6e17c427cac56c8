//! Loops compiled several times, for the instructions that the machine is found to have.
//!
//! The default target of the project is plain x86-64 (SSE2), so every hot loop is compiled for
//! AVX-512, for AVX2 with FMA and for the baseline, and one is picked when it is called. Bodies are
//! written once, over fixed lanes that LLVM turns into vector registers. A multiplication and an
//! addition are only ever fused where a body says so.

/// Whether the machine has what the tiles of the encoder need of AVX-512: F, VL, DQ and BW. The standard library
/// remembers the answer, so this costs a load and a test.
pub(crate) fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Compiles a function for AVX-512, AVX2 and the build's target, and picks one when it is called. In
/// its body, `FMA` tells whether a fused multiply-add is one instruction (without it `f32::mul_add`
/// is a slow library call).
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        #[multiversion::multiversion(targets(
            "x86_64+avx512f+avx512vl+avx512dq+avx512bw+avx2+fma",
            "x86_64+avx2+fma",
        ))]
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[allow(dead_code, reason = "few bodies ask")]
            const FMA: bool = multiversion::target::target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
            $body
        }
    };
}
pub(crate) use dispatched;
