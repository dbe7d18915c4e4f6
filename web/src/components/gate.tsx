import { effect, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { App } from "./app";
import { fetchMe, firstRun, logIn, logOut, putSettings, Refusal, type Me } from "../api";
import { connection } from "../state";
import { start } from "../sync";

/** Who the hub takes this browser for; null before it has answered. */
const me = signal<Me | null>(null);
const unreachable = signal(false);
/** After the first account: what is still to be said once. */
const settling = signal(false);
const retryMillis = 2_000;

/** enter lets somebody in: from here on the page follows the hub. */
function enter(who: Me): void {
  me.value = who;
  if (who.state === "in" || who.state === "open") start();
}

async function ask(): Promise<void> {
  try {
    const who = await fetchMe();
    unreachable.value = false;
    enter(who);
  } catch {
    unreachable.value = true;
    setTimeout(() => void ask(), retryMillis);
  }
}

void ask();

/** A session that has ended looks like a hub that is away: ask which it is. */
effect(() => {
  if (connection.value === "away" && me.peek()?.state === "in") {
    void fetchMe().then((who) => who.state !== "in" && (me.value = who), () => {});
  }
});

/** leave ends the session; the page begins anew, and knows nothing any more. */
function leave(): void {
  void logOut().finally(() => location.reload());
}

/** The door of the page: who is not known, logs in first; who comes first, makes an account. */
export function Gate() {
  if (unreachable.value) return <Door title="The hub does not answer" />;
  switch (me.value?.state) {
    case undefined:
      return null;
    case "first_run":
      return <FirstRun />;
    case "login":
      return <LogIn />;
    default:
      return settling.value ? <Settle /> : <App leave={me.value?.state === "in" ? leave : undefined} />;
  }
}

function Door({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <main class="gate">
      <section class="card">
        <img src="icon.svg" alt="" width="48" height="48" />
        <h1>{title}</h1>
        {children}
      </section>
    </main>
  );
}

/** A form whose button waits for the hub, and says why it did not work. */
function Form({ button, submit, children }: { button: string; submit: (form: FormData) => Promise<void>; children: ComponentChildren }) {
  const [failure, setFailure] = useState("");
  const [busy, setBusy] = useState(false);
  const send = async (event: Event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setFailure("");
    try {
      await submit(form);
    } catch (error) {
      setFailure(error instanceof Refusal ? error.message : "The hub did not answer; try again");
    }
    setBusy(false);
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      {children}
      {failure && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      <button type="submit" disabled={busy}>
        {button}
      </button>
    </form>
  );
}

function Field(props: { label: string; name: string; type?: "text" | "password"; autocomplete?: string; value?: string; hint?: string; optional?: boolean }) {
  return (
    <label>
      {props.label}
      <input
        name={props.name}
        {...({ type: props.type ?? "text" } as { type: "text" })}
        autocomplete={(props.autocomplete ?? "off") as "off"}
        autocapitalize="none"
        spellcheck={false}
        defaultValue={props.value ?? ""}
        required={!props.optional}
      />
      {props.hint && <span class="soft">{props.hint}</span>}
    </label>
  );
}

function field(form: FormData, name: string): string {
  return String(form.get(name) ?? "").trim();
}

function LogIn() {
  return (
    <Door title="Log in">
      <Form button="Log in" submit={async (form) => enter(await logIn(field(form, "name"), String(form.get("password"))))}>
        <Field label="Name" name="name" autocomplete="username" />
        <Field label="Password" name="password" type="password" autocomplete="current-password" />
      </Form>
    </Door>
  );
}

function FirstRun() {
  const submit = async (form: FormData) => {
    const who = await firstRun(field(form, "code"), field(form, "name"), String(form.get("password")));
    settling.value = true;
    enter(who);
  };
  return (
    <Door title="Make the first account">
      <p class="soft">The hub has printed a code when it started, on its console and in its log.</p>
      <Form button="Make the account" submit={submit}>
        <Field label="Code" name="code" />
        <Field label="Your name" name="name" autocomplete="username" hint="a-z, 0-9 . _ -" />
        <Field label="A password" name="password" type="password" autocomplete="new-password" hint="at least 10 characters" />
      </Form>
    </Door>
  );
}

/** Where the site is and what a kWh costs; both can be said later, too. */
function Settle() {
  const submit = async (form: FormData) => {
    const price = field(form, "price").replace(",", ".");
    await putSettings({ zone: field(form, "zone") });
    if (price) {
      const today = new Date().toISOString().slice(0, 10);
      await putSettings({ currency: field(form, "currency").toUpperCase(), prices: [{ from: today, per_kwh: price }] });
    }
    settling.value = false;
  };
  return (
    <Door title="Your house">
      <Form button="Done" submit={submit}>
        <Field label="Time zone" name="zone" value={Intl.DateTimeFormat().resolvedOptions().timeZone} />
        <Field label="Currency" name="currency" value="EUR" optional />
        <Field label="Price of a kWh" name="price" optional hint="as 0.3199; leave it empty if you do not know" />
      </Form>
      <button type="button" class="later" onClick={() => (settling.value = false)}>
        Later
      </button>
    </Door>
  );
}
