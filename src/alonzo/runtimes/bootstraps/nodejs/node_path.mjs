/**
 * Has ES modules find packages in the folders of NODE_PATH, as AWS's Node.js is built to.
 *
 * `resolve` does what Node.js does, and looks into the folders where that finds nothing. It may run in a
 * thread of its own, which `initialize` tells them to; or beside the function, made by `resolver`.
 */
let resolveIn = null;

const isBare = (specifier) => !/^(?:[./#]|[a-z]+:)/.test(specifier);

/** A hook for `folders`, which all end in `/node_modules`. */
export function resolver(folders) {
  const parents = folders.map((folder) => new URL(`file://${encodeURI(folder)}/../from.mjs`).href);
  const otherwise = (error, specifier) => {
    if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !isBare(specifier)) throw error;
  };
  return {
    sync(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        otherwise(error, specifier);
        for (const parentURL of parents) {
          try {
            return next(specifier, { ...context, parentURL });
          } catch (another) {
            otherwise(another, specifier);
          }
        }
        throw error;
      }
    },
    async threaded(specifier, context, next) {
      try {
        return await next(specifier, context);
      } catch (error) {
        otherwise(error, specifier);
        for (const parentURL of parents) {
          try {
            return await next(specifier, { ...context, parentURL });
          } catch (another) {
            otherwise(another, specifier);
          }
        }
        throw error;
      }
    },
  };
}

export function initialize(folders) {
  resolveIn = resolver(folders).threaded;
}

export function resolve(specifier, context, next) {
  return resolveIn(specifier, context, next);
}
