// Calls about latents; a module of its own, since a search shows its first hits without.
import { LatentService } from "../gen/latentdb/v1/latent_pb.js";
import { client } from "./transport.js";

export const latentCalls = client(LatentService);
