// A reverse proxy as a cluster has one: routes by path, takes turns between the
// processes of a role.
import { once } from "node:events";
import { createServer, request } from "node:http";

const routes = [
  [/^\/uploads/, "ingest"],
  [/^\/(hls|embed|watch|assets\/player)\//, "player"],
  [/^\/player\.js/, "player"],
  [/^\/beacons\//, "collect"],
  [/^/, "api"],
];

/** Listens on the port and returns how many requests each process got. */
export async function startProxy(t, port, targets) {
  const turn = {}, served = {};
  const server = createServer((req, res) => {
    const role = routes.find(([pattern]) => pattern.test(req.url))[1];
    turn[role] = ((turn[role] ?? -1) + 1) % targets[role].length;
    const target = new URL(targets[role][turn[role]]);
    served[target.host] = (served[target.host] ?? 0) + 1;
    const upstream = request({ host: target.hostname, port: target.port, path: req.url, method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode, answer.headers);
      answer.pipe(res);
    });
    upstream.on("error", () => (res.headersSent ? res.destroy() : res.writeHead(502).end()));
    res.on("close", () => upstream.destroy());
    req.pipe(upstream);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return served;
}
