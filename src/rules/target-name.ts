/** Lower case only: the name is part of a queue's name, and two that differ in case would look like one. */
export const TARGET_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;
