//! Loops compiled several times, for the instructions that the machine is found to have.
//!
//! The default target of the project is plain x86-64 (SSE2), so every hot loop is compiled for
//! AVX-512, for AVX2 with FMA and for the baseline, and one is picked when it is called. Bodies are
//! written once, over fixed lanes that LLVM turns into vector registers. A multiplication and an
//! addition are only ever fused where a body says so.

/// The instruction sets that code is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Whatever the build target has.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, VL, DQ, BW.
    Avx512,
}

impl Level {
    /// The best level of this machine. The standard library remembers the answer, so this costs a
    /// load and a test.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    return Self::Avx512;
                }
                return Self::Avx2;
            }
        }
        Self::Baseline
    }
}

/// Compiles a function for every [`Level`] and picks one when it is called. In its body, `FMA` tells
/// whether a fused multiply-add is one instruction (without it `f32::mul_add` is a slow library
/// call).
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn portable<const FMA: bool>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn wide($($arg: $ty),*) $(-> $ret)? {
                    portable::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn narrow($($arg: $ty),*) $(-> $ret)? {
                    portable::<true>($($arg),*)
                }
                match $crate::instructions::Level::detect() {
                    $crate::instructions::Level::Avx512 => {
                        // SAFETY: `detect` found every feature that `wide` is compiled for.
                        #[expect(unsafe_code, reason = "calling a function compiled for detected features")]
                        return unsafe { wide($($arg),*) };
                    }
                    $crate::instructions::Level::Avx2 => {
                        // SAFETY: `detect` found AVX2 and FMA.
                        #[expect(unsafe_code, reason = "calling a function compiled for detected features")]
                        return unsafe { narrow($($arg),*) };
                    }
                    $crate::instructions::Level::Baseline => {}
                }
            }
            portable::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use dispatched;
