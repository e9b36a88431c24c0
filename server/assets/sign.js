// Signs in the page: opens a key file with its passphrase, checks what is about to be signed, signs,
// and sends signatures only. Neither the file nor the passphrase nor the key leaves this page.
const form = document.getElementById("sign");
const words = form.dataset;
const texts = document.getElementById("sign-words").dataset;
const text = (name) => texts[name] || name;
const utf8 = (string) => new TextEncoder().encode(string);
const hex = (bytes) => [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const values = (name) => [...form.querySelectorAll(`[data-${name}]`)].map((input) => input.value);

class Refused extends Error {}
const must = (fine, name, detail) => {
  if (!fine) throw new Refused(text(name) + (detail ? ` (${detail})` : ""));
};

// Twelve digits in groups of four, as protocol::digest makes them.
function fingerprint(digest) {
  let number = 0n;
  for (const byte of digest.slice(0, 8)) number = (number << 8n) | BigInt(byte);
  const digits = (number % 1000000000000n).toString().padStart(12, "0");
  return digits.match(/..../g).join(" ");
}

// What the bytes say, found out here and not taken from the server's words.
async function look() {
  const [message] = values("message").map(utf8);
  const acts = values("act");
  const found = { message, acts, lines: [] };
  const add = (name, value) => found.lines.push([text(name), value]);
  if (!message) {
    must(acts.length > 0, "wordNothing");
    found.shown = await sha256(utf8(acts[0]));
    for (const act of acts.map((act) => JSON.parse(act))) actLines(act, add);
  } else {
    found.shown = await sha256(message);
    const targets = JSON.parse(new TextDecoder().decode(message));
    must(targets["x-repository"] === words.repository, "wordDiffers", targets["x-repository"]);
    add("wordVersion", String(targets.version));
    const digests = new Map();
    for (const file of values("approval")) {
      const approval = JSON.parse(file);
      const listed = targets.targets[`approval/${approval.id}.json`];
      const digest = hex(await sha256(utf8(file)));
      must(listed && listed.hashes.sha256 === digest, "wordDiffers", approval.id);
      digests.set(approval.id, digest);
      approvalLines(approval, add);
    }
    const said = new Set();
    for (const { subject } of acts.map((act) => JSON.parse(act))) {
      must(subject.targets_sha256 === hex(found.shown), "wordDiffers", "targets_sha256");
      must(subject.approval_sha256 === digests.get(subject.approval), "wordDiffers", subject.approval);
      said.add(subject.approval);
    }
    must(said.size === digests.size, "wordDiffers", "acts");
  }
  add("wordHash", hex(found.shown));
  add("wordFingerprint", fingerprint(found.shown));
  must(fingerprint(found.shown) === words.fingerprint, "wordDiffers", fingerprint(found.shown));
  return found;
}

function approvalLines(approval, add) {
  const slots = approval.devices.flatMap((device) => device.slots).sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const release = approval.release;
  add("wordApproval", `${approval.id} (${approval.action}, ${approval.urgency}, ${approval.state})`);
  if (release) add("wordRelease", `${release.family} ${release.version} (${release.seq}) ${release.image_sha256}`);
  add("wordDevices", String(approval.devices.length));
  add("wordSlots", `${slots.length}: ${slots.at(0)?.[0]} – ${slots.at(-1)?.[1]}`);
  add("wordUntil", approval.valid_until);
}

function actLines(act, add) {
  add("wordMeaning", `${act.meaning}: ${JSON.stringify(act.subject)}`);
  add("wordReason", `${act.reason} (${act.name}, ${act.role}, ${act.at})`);
  if (act.compensating) add("wordReason", JSON.stringify(act.compensating));
}

// DER, as far as a key file needs it: tag, contents, parts.
function der(bytes) {
  const parts = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at];
    let length = bytes[at + 1];
    at += 2;
    if (length > 127) {
      const count = length & 127;
      must(count < 4, "wordKeyFile");
      length = 0;
      for (let n = 0; n < count; n++) length = length * 256 + bytes[at++];
    }
    must(length <= bytes.length - at, "wordKeyFile");
    const body = bytes.subarray(at, at + length);
    parts.push({ tag, body, parts: tag === 0x30 ? der(body) : [] });
    at += length;
  }
  return parts;
}

async function open(pem, passphrase) {
  const found = /-----BEGIN ENCRYPTED PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END/.exec(pem);
  must(found, "wordKeyFile");
  const bytes = Uint8Array.from(atob(found[1].replace(/\s/g, "")), (char) => char.charCodeAt(0));
  const [scheme, sealed] = der(bytes)[0].parts;
  const [kdf, cipher] = scheme.parts[1].parts;
  const [salt, rounds, ...rest] = kdf.parts[1].parts;
  const prf = rest.find((part) => part.tag === 0x30);
  const oids = [scheme.parts[0], kdf.parts[0], prf?.parts[0], cipher.parts[0]].map((oid) => hex(oid?.body ?? []));
  const house = ["2a864886f70d01050d", "2a864886f70d01050c", "2a864886f70d0209", "60864801650304012a"];
  must(oids.join() === house.join(), "wordKeyFile");
  const iterations = rounds.body.reduce((sum, byte) => sum * 256 + byte, 0);
  must(iterations >= 600000 && iterations <= 10000000, "wordKeyFile");
  const base = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, ["deriveKey"]);
  const lock = await crypto.subtle.deriveKey(
    { name: "PBKDF2", hash: "SHA-256", salt: salt.body, iterations },
    base, { name: "AES-CBC", length: 256 }, false, ["decrypt"],
  );
  let plain;
  try {
    plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: cipher.parts[1].body }, lock, sealed.body));
    const known = await crypto.subtle.importKey("pkcs8", plain, "Ed25519", true, ["sign"]);
    const { x } = await crypto.subtle.exportKey("jwk", known);
    const raw = atob(x.replace(/-/g, "+").replace(/_/g, "/"));
    const secret = await crypto.subtle.importKey("pkcs8", plain, "Ed25519", false, ["sign"]);
    return { secret, public: hex(Uint8Array.from(raw, (char) => char.charCodeAt(0))) };
  } catch (error) {
    throw new Refused(text(error.name === "NotSupportedError" ? "wordBrowser" : "wordPassphrase"));
  } finally {
    plain?.fill(0);
  }
}

// DSSE's pre-authentication encoding.
function encoded(act) {
  const [kind, body] = ["application/vnd.patchward.act.v1+json", utf8(act)];
  const head = utf8(`DSSEv1 ${kind.length} ${kind} ${body.length} `);
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}

function say(line, kind) {
  const note = document.getElementById("sign-said");
  note.className = `note ${kind}`;
  note.hidden = false;
  note.textContent = line;
}

async function sign() {
  const found = await look();
  const [file] = document.getElementById("key-file").files;
  const phrase = document.getElementById("passphrase");
  must(file && file.size < 65536 && phrase.value, "wordKeyMissing");
  say(text("wordOpening"), "");
  const key = await open(await file.text(), phrase.value);
  phrase.value = "";
  const listed = words.keys.split(" ").find((entry) => entry.startsWith(`${key.public}:`));
  must(listed, "wordNotYours", key.public.slice(0, 16));
  must(listed.endsWith(":console"), "wordMethod", listed.split(":")[1]);
  const messages = [...(found.message ? [found.message] : []), ...found.acts.map(encoded)];
  const put = (name, value) => {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  };
  put("public", key.public);
  for (const message of messages) put("signature", hex(await crypto.subtle.sign("Ed25519", key.secret, message)));
  form.submit();
}

const failed = (error) => say(error instanceof Refused ? error.message : text("wordFailed") + ` (${error.message})`, "bad");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  sign().catch((error) => {
    button.disabled = false;
    failed(error);
  });
});

look().then(({ lines }) => {
  const list = document.getElementById("sign-computed");
  for (const line of lines) {
    for (const [at, tag] of ["dt", "dd"].entries()) {
      const part = document.createElement(tag);
      part.textContent = line[at];
      list.append(part);
    }
  }
  form.querySelector("button").disabled = false;
}).catch(failed);
