from latentdb.v1 import cluster_pb2 as _cluster_pb2
from latentdb.v1 import correlate_pb2 as _correlate_pb2
from latentdb.v1 import diff_pb2 as _diff_pb2
from latentdb.v1 import explain_pb2 as _explain_pb2
from latentdb.v1 import hypotheses_pb2 as _hypotheses_pb2
from latentdb.v1 import map_pb2 as _map_pb2
from latentdb.v1 import matching_pb2 as _matching_pb2
from latentdb.v1 import quality_pb2 as _quality_pb2
from latentdb.v1 import trends_pb2 as _trends_pb2
from google.protobuf import descriptor as _descriptor
from typing import Any as _Any, ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
