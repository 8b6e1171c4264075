// Both halves. A program that needs one only imports "@keelson/etcd/client" or "@keelson/etcd/server".
export * from "./client/index.ts";
export * from "./server/index.ts";
