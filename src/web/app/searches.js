// Calls about searches, counts and steering.
import { SearchService } from "../gen/latentdb/v1/search_pb.js";
import { client } from "./transport.js";

export const searchCalls = client(SearchService);
