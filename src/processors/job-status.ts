/** Has a sub-job ended? A status that is not known counts as under way, until the deadline. */
export function hasJobEnded(status: string): boolean {
  return status === "Complete" || status === "Failed" || status === "Canceled";
}
