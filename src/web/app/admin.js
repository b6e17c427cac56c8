// Calls about the server, and those about models.
import { AdminService } from "../gen/latentdb/v1/admin_pb.js";
import { ModelService } from "../gen/latentdb/v1/model_pb.js";
import { client } from "./transport.js";

export const admin = client(AdminService);
export const models = client(ModelService);
