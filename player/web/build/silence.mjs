// Takes the log lines out of hls.js: a player on somebody else's page does not
// write to its console, and the lines are a tenth of the engine's weight. Only
// statements go that are nothing but such a call.
import ts from "typescript";

const LOGS = new Set(["log", "warn", "debug", "info", "trace"]);

/** Returns the TypeScript source without its logging statements. */
export function silence(code) {
  const file = ts.createSourceFile("source.ts", code, ts.ScriptTarget.ES2022, true);
  const cuts = [];
  const visit = (node) => {
    if (ts.isExpressionStatement(node) && isLog(node.expression)) {
      cuts.push([node.getStart(file), node.getEnd()]);
      return;
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return cuts.reverse().reduce((text, [from, to]) => `${text.slice(0, from)};${text.slice(to)}`, code);
}

function isLog(node) {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression: on, name } = node.expression;
  if (!LOGS.has(name.text)) return false;
  const last = ts.isPropertyAccessExpression(on) ? on.name.text : ts.isIdentifier(on) ? on.text : "";
  return on.kind === ts.SyntaxKind.ThisKeyword || last === "logger";
}
