/** Can the login in an address, if there is one, be read? What is no address is not asked here. */
export function hasReadableLogin(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password } = new URL(url);
  try {
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}

/** Does an address hold nothing but origin and path? What is no address is not asked here. */
export function isPlain(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password, search, hash } = new URL(url);
  return username + password + search + hash === "";
}

/** An address that paths, which begin with a slash, are put behind. */
export function withoutLastSlash(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/\/+$/, "");
}
