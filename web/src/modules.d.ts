// What TypeScript cannot know by itself: the bundler takes style sheets, and
// the tests use two modules of Node whose types are not worth a package.
declare module "*.css";

declare module "node:test" {
  export function test(name: string, body: () => void | Promise<void>): void;
}

declare module "node:assert/strict" {
  export function equal<T>(actual: T, expected: T, message?: string): void;
  export function deepEqual<T>(actual: T, expected: T, message?: string): void;
  export function ok(value: unknown, message?: string): asserts value;
  export function match(value: string, pattern: RegExp, message?: string): void;
  export function rejects(promise: Promise<unknown>, check: (error: unknown) => boolean): Promise<void>;
}
