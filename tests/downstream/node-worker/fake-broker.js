// The fake broker as a fixture: a process for each test file, and its control API.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export async function startBroker(...options) {
  const child = spawn(
    "ammoo-fakebroker",
    ["--port", "0", "--control", "--log-format", "json", ...options],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { url, management_url } = JSON.parse(line);
  const ask = async (method, path, body) => {
    const response = await fetch(`${management_url}/fake/${path}`, { method, body: JSON.stringify(body) });
    const answer = response.status === 204 ? undefined : await response.json();
    if (!response.ok) throw new Error(answer.reason);
    return answer;
  };
  return {
    url,
    get: (path) => ask("GET", path),
    post: (path, body) => ask("POST", path, body),
    delete: (path) => ask("DELETE", path),
    stop: async () => {
      child.kill();
      await once(child, "exit");
    },
  };
}
