//! A service's trait, from functions that know its messages alone.

/// Implements the trait of a service by functions of its adapter: a call is answered by the function
/// of its name, which takes the message and returns the answer, or a stream of them. Errors become
/// statuses here.
macro_rules! calls {
    (
        $service:ident of $adapter:ty {
            $($call:ident($request:ty) -> $answer:ty;)*
        }
        $(streams {
            $($streamed:ident($asked:ty) -> $name:ident = $message:ty;)*
        })?
    ) => {
        #[tonic::async_trait]
        impl $service for $adapter {
            $(
                async fn $call(
                    &self,
                    request: tonic::Request<$request>,
                ) -> Result<tonic::Response<$answer>, tonic::Status> {
                    let answer = <$adapter>::$call(self, request.into_inner()).await;
                    answer.map(tonic::Response::new).map_err($crate::server::status::status)
                }
            )*
            $($(
                type $name = $crate::server::streams::Answers<$message>;

                async fn $streamed(
                    &self,
                    request: tonic::Request<$asked>,
                ) -> Result<tonic::Response<Self::$name>, tonic::Status> {
                    let answers = <$adapter>::$streamed(self, request.into_inner()).await;
                    answers.map(tonic::Response::new).map_err($crate::server::status::status)
                }
            )*)?
        }
    };
}
pub(super) use calls;
